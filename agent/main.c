/* main.c - goprobe: the sensor of one host. */
#include "cmd_serve.h"
#include "daemon.h"
#include "options.h"
#include "replay_cmd.h"

#include <string.h>

int main(int argc, char **argv)
{
    agent_options o;

    if (argc > 1 && strcmp(argv[1], "serve") == 0)
        return agent_serve(argc - 1, argv + 1);
    agent_options_parse(argc, argv, &o);
    return o.n_pcaps ? agent_replay(&o) : agent_run(&o);
}
