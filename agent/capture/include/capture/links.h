/* links.h - the network interfaces of this host and their changes, through rtnetlink (libmnl). */
#ifndef CAPTURE_LINKS_H
#define CAPTURE_LINKS_H

#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

enum { CAPTURE_NAME_CAP = 16, CAPTURE_LINKS_MAX = 65536 }; /* IFNAMSIZ; bound of one listing */

typedef struct capture_link {
    char name[CAPTURE_NAME_CAP];
    uint32_t index;
    uint16_t arphrd; /* hardware type, ARPHRD_* */
    uint8_t up;      /* IFF_UP */
    uint8_t vlan;    /* 1: a VLAN interface */
} capture_link;

/* All interfaces of the network namespace, up or not, loopback included, sorted by name. Free *out
 * with gp_free(). */
gp_status capture_links_list(capture_link **out, size_t *n, gp_err *err) GP_MUST_CHECK;

/* Notice of link changes. One thread. */
typedef struct capture_linkwatch capture_linkwatch;
gp_status capture_linkwatch_open(capture_linkwatch **out, gp_err *err) GP_MUST_CHECK;
void capture_linkwatch_close(capture_linkwatch *w); /* NULL is fine */
/* Readable when something changed. */
int capture_linkwatch_fd(const capture_linkwatch *w);
/* Take all pending notices: 1 if any link was added, removed, set up or down, or if notices were
 * lost (then list anew, too); 0 if nothing of that kind; -1 when the socket failed. */
int capture_linkwatch_read(capture_linkwatch *w);

#endif
