/* Lets xl parse a config on a machine that runs no Xen: preloaded into `xl -N create -n FILE`, it answers the few
 * calls that would go to the hypervisor and to xenstore. The parser itself is xl's own. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

void *xc_interface_open(void *logger, void *dombuild_logger, unsigned flags)
{
    void *(*real)(void *, void *, unsigned) = (void *(*)(void *, void *, unsigned))dlsym(RTLD_NEXT, "xc_interface_open");
    (void)flags;
    return real(logger, dombuild_logger, 1u); /* XC_OPENFLAG_DUMMY: open no device */
}

static int connection[64];
void *xs_open(unsigned long flags) { (void)flags; return connection; }
void xs_close(void *handle) { (void)handle; }
int xs_fileno(void *handle)
{
    static int ends[2] = { -1, -1 };
    (void)handle;
    if (ends[0] < 0 && pipe(ends))
        abort();
    return ends[0];
}
void *xs_read(void *handle, unsigned transaction, const char *path, unsigned *length)
{
    (void)handle; (void)transaction; (void)path;
    if (length)
        *length = 0;
    return NULL;
}

int libxl_get_physinfo(void *context, void *info) { (void)context; (void)info; return 0; }
/* xl looks for words in a string of this structure: let every pointer in it be to an empty one. */
void *libxl_get_version_info(void *context)
{
    static const char *slots[64];
    (void)context;
    for (int slot = 0; slot < 64; slot++)
        slots[slot] = "";
    return slots;
}
int xc_get_max_cpus(void *handle) { (void)handle; return 8; }
int xc_get_max_nodes(void *handle) { (void)handle; return 1; }
int libxl_get_max_cpus(void *context) { (void)context; return 8; }
int libxl_get_online_cpus(void *context) { (void)context; return 8; }
