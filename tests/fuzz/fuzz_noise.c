/* fuzz_noise.c - handshake messages from a peer who does not know the keys; records of an open
 * channel that are lost, changed, cut, repeated or made up on the way. */
#include "auth/noise.h"

#include "gp/num.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- records ---- */

enum { RECORD = 255 + AUTH_NOISE_TAG };

/* One direction: who sends, who receives, and whether that is still possible. */
struct way {
    auth_noise *from, *to;
    int broken;
    uint8_t last[RECORD];
    size_t last_len;
};

static void open_channel(auth_noise *n[2])
{
    static const uint8_t s[2][AUTH_DH] = {{1, 2, 3}, {7, 8, 9}}, e[2][AUTH_DH] = {{4}, {5}};
    gp_buf msg = {0}, payload = {0};
    for (int i = 0; i < 2; i++)
        if (auth_noise_new_raw(s[i], e[i], i == 0, "p", 1, &n[i], NULL) != GP_OK)
            __builtin_trap();
    for (int i = 0; i < 3; i++) {
        gp_buf_clear(&msg);
        if (auth_noise_write(n[i % 2], "", 0, &msg, NULL) != GP_OK ||
            auth_noise_read(n[1 - i % 2], msg.data, msg.len, &payload, NULL) != GP_OK)
            __builtin_trap();
    }
    gp_buf_free(&msg);
    gp_buf_free(&payload);
}

static void deliver(struct way *w, const uint8_t *rec, size_t len, int good, const uint8_t *plain,
                    int in_place)
{
    uint8_t apart[RECORD], same[RECORD];
    memcpy(same, rec, len);
    uint8_t *out = in_place ? same : apart;
    gp_status st = auth_noise_decrypt(w->to, same, len, out, NULL);
    good = good && !w->broken;
    if (st != (good ? GP_OK : GP_EDENIED))
        __builtin_trap();
    if (good && memcmp(out, plain, len - AUTH_NOISE_TAG) != 0)
        __builtin_trap();
    w->broken |= !good;
}

/* What becomes of each record: two bytes and up to 255 of its text, again and again. */
static void records(const uint8_t *data, size_t size)
{
    auth_noise *n[2] = {NULL, NULL};
    open_channel(n);
    struct way way[2] = {{.from = n[0], .to = n[1]}, {.from = n[1], .to = n[0]}};
    while (size >= 2) {
        unsigned op = data[0] & 7;
        int in_place = data[0] >> 4 & 1;
        struct way *w = &way[data[0] >> 3 & 1];
        size_t len = data[1] < size - 2 ? data[1] : size - 2;
        const uint8_t *text = data + 2;
        data += 2 + len;
        size -= 2 + len;
        uint8_t rec[RECORD];
        size_t rec_len = len + AUTH_NOISE_TAG;
        if (op == 7) { /* made up */
            deliver(w, text, len, 0, NULL, in_place);
            continue;
        }
        if (op == 6) { /* repeated */
            if (w->last_len)
                deliver(w, w->last, w->last_len, 0, NULL, in_place);
            continue;
        }
        if (auth_noise_encrypt(w->from, text, len, rec, NULL) != GP_OK)
            __builtin_trap();
        if (op == 5) { /* lost, and with it all after it */
            w->broken = 1;
            w->last_len = 0;
            continue;
        }
        if (op == 4) /* cut */
            deliver(w, rec, rec_len - 1, 0, NULL, in_place);
        if (op == 3) /* one bit changed */
            rec[gp_le16(rec) % rec_len] ^= (uint8_t)(1u << len % 8);
        if (op < 4)
            deliver(w, rec, rec_len, op < 3, text, in_place);
        memcpy(w->last, rec, rec_len);
        w->last_len = rec_len;
    }
    auth_noise_free(n[0]);
    auth_noise_free(n[1]);
}

/* ---- handshake ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t s[AUTH_DH] = {1, 2, 3}, e[AUTH_DH] = {4, 5, 6};
    auth_noise *n = NULL;
    gp_buf out = {0}, payload = {0};
    if (!size)
        return 0;
    int initiator = data[0] & 1, opened = data[0] & 2;
    data++;
    size--;
    if (opened) {
        records(data, size);
        return 0;
    }
    if (auth_noise_new_raw(s, e, initiator, "p", 1, &n, NULL) != GP_OK)
        __builtin_trap();
    if (initiator && auth_noise_write(n, "", 0, &out, NULL) != GP_OK)
        __builtin_trap();
    size_t first = size < 48 || initiator ? size : 48; /* the rest is a later message */
    gp_status st = auth_noise_read(n, data, first, &payload, NULL);
    if (initiator && st == GP_OK)
        __builtin_trap(); /* forged without the key */
    if (!initiator && st == GP_OK) {
        gp_buf_clear(&out);
        if (auth_noise_write(n, "hello", 5, &out, NULL) == GP_OK &&
            auth_noise_read(n, data + first, size - first, &payload, NULL) == GP_OK)
            __builtin_trap();
    }
    if (auth_noise_done(n))
        __builtin_trap();
    gp_buf_free(&out);
    gp_buf_free(&payload);
    auth_noise_free(n);
    return 0;
}
