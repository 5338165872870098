/* libvirt's converter of xl configs, without libvirtd and without Xen: DRIVER CONFIG -> domain XML on standard output.
 * The driver's own function does the work; what it asks for, a host that has PV, PVH and HVM guests, is made up here.
 * Status 1: libvirt refuses the config, and says why. Status 3: this is another libvirt than the one it was written for. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#define FROM(library, type, name, parameters) \
    type (*name) parameters = (type (*) parameters) dlsym(library, #name); \
    if (!name) { fprintf(stderr, "libvirt has no function " #name "\n"); return 3; }

int main(int argc, char **argv)
{
    void *library = dlopen("libvirt.so.0", RTLD_NOW | RTLD_GLOBAL);
    void *driver = library && argc == 3 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (!driver) { fprintf(stderr, "%s\n", argc == 3 ? dlerror() : "usage: DRIVER CONFIG"); return 3; }
    FROM(library, int, virInitialize, (void))
    FROM(library, int, virArchFromString, (const char *))
    FROM(library, int, virDomainOSTypeFromString, (const char *))
    FROM(library, int, virDomainVirtTypeFromString, (const char *))
    FROM(library, void *, virCapabilitiesNew, (int, int, int))
    FROM(library, void *, virCapabilitiesAddGuest, (void *, int, int, const char *, const char *, int, void *))
    FROM(library, void *, virCapabilitiesAddGuestDomain, (void *, int, const char *, const char *, int, void *))
    FROM(library, void *, virConfReadFile, (const char *, unsigned))
    FROM(library, char *, virDomainDefFormat, (void *, void *, unsigned))
    FROM(library, const char *, virGetLastErrorMessage, (void))
    FROM(driver, void *, libxlCreateXMLConf, (void *))
    FROM(driver, void *, xenParseXL, (void *, void *, void *))
    const char *types[] = {"xen", "xenpvh", "hvm"};
    int arch = virArchFromString("x86_64"), xen = virDomainVirtTypeFromString("xen");

    virInitialize();
    void *host = virCapabilitiesNew(arch, 0, 0);
    for (int i = 0; i < 3; i++) {
        int type = virDomainOSTypeFromString(types[i]);
        void *guests = virCapabilitiesAddGuest(host, type, arch, "/usr/libexec/xen-qemu-system-i386", NULL, 0, NULL);
        virCapabilitiesAddGuestDomain(guests, xen, NULL, NULL, 0, NULL);
    }
    void *options = libxlCreateXMLConf(calloc(1, 1 << 16)); /* the driver's state, of which parsing asks nothing */
    void *config = virConfReadFile(argv[2], 0);
    void *domain = config ? xenParseXL(config, host, options) : NULL;
    char *xml = domain ? virDomainDefFormat(domain, options, 0) : NULL;
    if (!xml) { fprintf(stderr, "%s\n", virGetLastErrorMessage()); return 1; }
    fputs(xml, stdout);
    return 0;
}
