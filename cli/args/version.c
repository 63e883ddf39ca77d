/* version.c - what a program calls itself (query.md 2.4). */
#include "cli/args.h"

const char *cli_version_short(void)
{
    return FLEETPROBE_VERSION;
}

void cli_version(const char *program, FILE *out)
{
    if (!RELEASE_COMMIT[0] && !RELEASE_VERSION[0]) {
        fprintf(out, "%s devel\n", program);
        return;
    }
    fprintf(out, "%s - %s:\n", program, RELEASE_VERSION[0] ? RELEASE_VERSION : "devel");
    fprintf(out, "    Build time: %s\n", RELEASE_TIME);
    fprintf(out, "    Git hash:   %s\n", RELEASE_COMMIT);
#if defined(__clang__)
    fprintf(out, "    Compiler:   clang %s\n", __clang_version__);
#else
    fprintf(out, "    Compiler:   gcc %s\n", __VERSION__);
#endif
}
