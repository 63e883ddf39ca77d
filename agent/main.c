/* main.c - goprobe: the sensor of one host. */
#include "options.h"
#include "replay_cmd.h"

int main(int argc, char **argv)
{
    agent_options o;

    agent_options_parse(argc, argv, &o);
    return agent_replay(&o);
}
