/* frames.h - building frames for the parser tests. */
#ifndef TEST_FRAMES_H
#define TEST_FRAMES_H

#include "capture/packet.h"
#include "test.h"

typedef struct frame {
    uint8_t b[512];
    uint32_t n;
} frame;

static inline void put(frame *f, const void *bytes, size_t n)
{
    assert_true(f->n + n <= sizeof f->b);
    memcpy(f->b + f->n, bytes, n);
    f->n += (uint32_t)n;
}

static inline void put_u16(frame *f, unsigned v)
{
    uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};
    put(f, b, 2);
}

static inline void put_eth(frame *f, unsigned type)
{
    static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    put(f, macs, 12);
    put_u16(f, type);
}

/* 10.0.0.1 -> 10.0.0.2, header of 20 + opt bytes (opt a multiple of 4; filled with 0xee). */
static inline void put_ip4(frame *f, unsigned proto, unsigned frag, unsigned opt)
{
    uint8_t h[20] = {[8] = 64, [12] = 10, [15] = 1, [16] = 10, [19] = 2};
    uint8_t options[40];

    h[0] = (uint8_t)(0x45 + opt / 4);
    h[6] = (uint8_t)(frag >> 8);
    h[7] = (uint8_t)frag;
    h[9] = (uint8_t)proto;
    put(f, h, 20);
    memset(options, 0xee, sizeof options);
    put(f, options, opt);
}

/* 2001:db8::1 -> 2001:db8::2 */
static inline void put_ip6(frame *f, unsigned next)
{
    uint8_t h[40] = {0x60, [7] = 64};
    static const uint8_t net[4] = {0x20, 1, 0x0d, 0xb8};

    h[6] = (uint8_t)next;
    memcpy(h + 8, net, 4);
    h[23] = 1;
    memcpy(h + 24, net, 4);
    h[39] = 2;
    put(f, h, 40);
}

/* IPv6 extension header of (units + 1) * 8 bytes. */
static inline void put_ext(frame *f, unsigned next, unsigned units)
{
    uint8_t h[64] = {(uint8_t)next, (uint8_t)units};
    put(f, h, (units + 1) * 8);
}

static inline void put_frag6(frame *f, unsigned next, unsigned offset8, unsigned more)
{
    uint8_t h[8] = {(uint8_t)next};
    h[2] = (uint8_t)(offset8 >> 5);
    h[3] = (uint8_t)(offset8 << 3 | more);
    put(f, h, 8);
}

static inline void put_tcp(frame *f, unsigned s, unsigned d, unsigned flags)
{
    uint8_t h[20] = {(uint8_t)(s >> 8), (uint8_t)s,  (uint8_t)(d >> 8),
                     (uint8_t)d,        [12] = 0x50, (uint8_t)flags};
    put(f, h, 20);
}

static inline void put_udp(frame *f, unsigned s, unsigned d)
{
    put_u16(f, s);
    put_u16(f, d);
    put_u16(f, 8);
    put_u16(f, 0);
}

#endif
