/* server.h - keys and connection settings for asking a query server. */
#ifndef GOQUERY_SERVER_H
#define GOQUERY_SERVER_H

#include "options.h"
#include "remote/remote.h"

/* Keys of the user and the options of a call; zero-initialise. r borrows from the rest and o. */
typedef struct goquery_server {
    remote_keys keys;
    remote_opts r;
} goquery_server;

/* Load --identity.key and --identity.trusted_keys, or what lies in the usual places. */
gp_status goquery_server_open(const goquery_opts *o, goquery_server *s, gp_err *err) GP_MUST_CHECK;
void goquery_server_close(goquery_server *s);

#endif
