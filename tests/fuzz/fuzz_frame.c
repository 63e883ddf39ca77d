/* fuzz_frame.c - frame headers, CALL heads and status texts from a trusted but broken peer. */
#include "frame.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void headers(const uint8_t *p, size_t n)
{
    rpc_head h;
    rpc_call_head ch;
    size_t need = 0;
    char text[RPC_MAX_STATUS_TEXT + 1];
    uint8_t again[RPC_FRAME_HEAD];
    if (n >= RPC_FRAME_HEAD && rpc_head_parse(p, &h, NULL) == GP_OK) {
        rpc_head_put(again, h.type, h.code, h.stream, h.len);
        if (memcmp(again, p, sizeof again) != 0 || h.len > RPC_MAX_PAYLOAD)
            __builtin_trap(); /* one encoding only, within the limits */
    }
    if (rpc_call_head_parse(p, n, n, &ch, &need, NULL) == GP_OK && n >= need &&
        need > RPC_CALL_FIXED && ch.method_len > RPC_MAX_METHOD)
        __builtin_trap();
    rpc_text_clean(p, n, text);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size; at += RPC_FRAME_HEAD)
        headers(data + at, size - at);
    return 0;
}
