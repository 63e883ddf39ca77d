/* unpack.c - protobuf-c behind a counting allocator, so that a peer's bytes cost bounded memory. */
#include "unpack.h"

#include "gp/mem.h"

#include <string.h>

struct budget {
    size_t left;
};

/* Allocations carry nothing, so freeing needs no budget: only what one unpack takes is counted. */
static void *count_alloc(void *ctx, size_t n)
{
    struct budget *b = ctx;
    size_t cost = n + 32; /* malloc's own bytes count too */
    if (n > b->left || cost > b->left)
        return NULL;
    b->left -= cost;
    return gp_alloc(n, 1);
}

static void count_free(void *ctx, void *p)
{
    (void)ctx;
    gp_free(p);
}

void *wire_unpack(const ProtobufCMessageDescriptor *d, const void *bytes, size_t len)
{
    struct budget b = {WIRE_UNPACK_BYTES};
    ProtobufCAllocator a = {.alloc = count_alloc, .free = count_free, .allocator_data = &b};
    return protobuf_c_message_unpack(d, &a, len, bytes);
}

void wire_unpacked_free(void *msg)
{
    ProtobufCAllocator a = {.alloc = count_alloc, .free = count_free};
    if (msg)
        protobuf_c_message_free_unpacked(msg, &a);
}

void wire_pack(const ProtobufCMessage *m, gp_buf *out)
{
    size_t n = protobuf_c_message_get_packed_size(m);
    uint8_t *p = gp_buf_reserve(out, n);
    if (p)
        out->len += protobuf_c_message_pack(m, p);
}

char *wire_unconst(const char *s)
{
    union {
        const char *c;
        char *m;
    } u = {.c = s ? s : ""};
    return u.m;
}

static int check_text(const char *s, size_t max, int lines)
{
    if (!s)
        return 1;
    for (const char *p = s; *p; p++) {
        unsigned char ch = (unsigned char)*p;
        if ((size_t)(p - s) >= max)
            return 0;
        if ((ch < 0x20 && !(lines && (ch == '\t' || ch == '\n'))) || ch == 0x7f)
            return 0;
    }
    return 1;
}

int wire_text_ok(const char *s, size_t max)
{
    return check_text(s, max, 0);
}

int wire_text_lines_ok(const char *s, size_t max)
{
    return check_text(s, max, 1);
}
