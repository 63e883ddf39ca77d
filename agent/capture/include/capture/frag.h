/* frag.h - which flow the later fragments of a packet belong to (spec capture.md 11, D-43). */
#ifndef CAPTURE_FRAG_H
#define CAPTURE_FRAG_H

#include "capture/packet.h"
#include "gp/err.h"

enum {
    CAPTURE_FRAGS = 4096,     /* packets remembered at most; newer ones replace older ones */
    CAPTURE_FRAG_LIFE_S = 30, /* a later fragment that comes after that has no flow */
};

/* What the first fragments of recent packets said. Bounded memory (288 KiB). One thread. */
typedef struct capture_frags capture_frags;

gp_status capture_frags_new(capture_frags **out, gp_err *err) GP_MUST_CHECK;
void capture_frags_free(capture_frags *f); /* NULL is fine */

/* Remember a first fragment: p->frag is CAPTURE_FRAG_FIRST. time_s: of the frame, any rising clock.
 */
void capture_frags_first(capture_frags *f, const capture_pkt *p, int64_t time_s);

/* Complete a later fragment (p->frag is CAPTURE_FRAG_LATER) with protocol, ports and type of its
 * first one, so that it counts into the same flow. 0: the first one was not seen. */
int capture_frags_later(capture_frags *f, capture_pkt *p, int64_t time_s);

#endif
