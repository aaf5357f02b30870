/* A data plane for charon that takes every SA and policy and carries nothing: what ikegw's own stands on in this benchmark.
 *
 * Debian builds charon without its load-tester plugin, whose fake kernel would serve. charon looks for a plugin's constructor
 * among the symbols of the process first, so this is loaded with LD_PRELOAD. The layouts below are those of libcharon 5.9.8;
 * of the many arguments of its methods only those that are looked at are named.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SUCCESS = 0, FAILED = 1 };                 /* a status */
enum { PROVIDES = 0, BY_CALLBACK = 4 };           /* what an entry of a plugin's features is */
enum { NO_FEATURE = 0, CUSTOM_FEATURE = 30 };

typedef void (*method)(void);
struct feature { uint32_t entry, kind; const void *first, *second; };

/* weak: the programs that start charon are given this too, and have no such thing */
extern bool kernel_ipsec_register(void *plugin, struct feature *feature, bool add, void *constructor) __attribute__((weak));

static int succeed(void) { return SUCCESS; }
static int fail(void) { return FAILED; }
static bool yes(void) { return true; }
static uint32_t none(void) { return 0; }
static void nothing(void) {}

static int allocate_spi(void *self, void *source, void *destination, uint8_t protocol, uint32_t *spi)
{
    static atomic_uint last = 0xc0000000;

    *spi = ++last;
    return SUCCESS;
}

static method kernel[] = {
    (method)none,          /* features */
    (method)allocate_spi,
    (method)fail,          /* a CPI, for IPComp */
    (method)succeed,       /* an SA: add, update */
    (method)succeed,
    (method)fail,          /* its counters */
    (method)succeed,       /* delete, flush */
    (method)succeed,
    (method)succeed,       /* a policy: add, */
    (method)fail,          /* its last use, */
    (method)succeed,       /* delete, flush */
    (method)succeed,
    (method)yes,           /* IKE's own sockets: bypass, decapsulate */
    (method)yes,
    (method)nothing,       /* destroy */
};

static void *make_kernel(void) { return kernel; }

static const char *name(void *self) { return "null-kernel"; }

static int features(void *self, struct feature **list)
{
    static struct feature provided[] = {
        {BY_CALLBACK, NO_FEATURE, kernel_ipsec_register, make_kernel},
        {PROVIDES, CUSTOM_FEATURE, "kernel-ipsec", NULL},
    };

    *list = provided;
    return 2;
}

static method plugin[] = {(method)name, (method)features, (method)nothing, (method)nothing};

void *null_kernel_plugin_create(void) { return plugin; }
