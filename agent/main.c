/* main.c - goprobe: the sensor of one host. */
#include "daemon.h"
#include "options.h"
#include "replay_cmd.h"

int main(int argc, char **argv)
{
    agent_options o;

    agent_options_parse(argc, argv, &o);
    return o.n_pcaps ? agent_replay(&o) : agent_run(&o);
}
