/* cmd_serve.h - goprobe serve: answer queries about a database, without capturing. */
#ifndef AGENT_CMD_SERVE_H
#define AGENT_CMD_SERVE_H

/* argv[0] is "serve". Runs until SIGTERM or SIGINT. Exit code: 0; 1 when it could not start; 64 for
 * a mistake on the command line. */
int agent_serve(int argc, char **argv);

#endif
