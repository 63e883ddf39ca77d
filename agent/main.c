/* main.c - goprobe: the sensor of one host. */
#include "cmd_serve.h"
#include "daemon.h"
#include "gp/io.h"
#include "options.h"
#include "replay_cmd.h"

#include <stdio.h>
#include <string.h>

/* capture.md 8.10; a build that is no release has no time and commit. */
static int print_version(void)
{
    printf("goprobe %s\n", FLEETPROBE_VERSION);
    if (RELEASE_COMMIT[0])
        printf("    Build time: %s\n    Git hash:   %s\n", RELEASE_TIME, RELEASE_COMMIT);
    return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    agent_options o;

    gp_hold_std_fds();
    gp_raise_fd_limit();
    if (argc > 1 && strcmp(argv[1], "serve") == 0)
        return agent_serve(argc - 1, argv + 1);
    if (argc == 2 && strcmp(argv[1], "version") == 0)
        return print_version();
    agent_options_parse(argc, argv, &o);
    return o.n_pcaps ? agent_replay(&o) : agent_run(&o);
}
