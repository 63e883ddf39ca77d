/* plan.c - from a statement to key layout and filters. */
#include "plan.h"

#include "gp/bytes.h"

/* Every condition without names fits (query/limits.h: 1 MiB of text, 150,000 terms, each of at most
 * 400 bytes here); names with many addresses may not. */
enum { PLAN_ARENA_BYTES = 128 << 20 };

/* Bits of an attribute in a key of family index f. */
static unsigned attr_bits(unsigned attr, unsigned f)
{
    static const uint8_t bits[EXEC_N_FAMILIES][QUERY_N_ATTRS] = {{32, 32, 16, 8},
                                                                 {128, 128, 16, 8}};

    return bits[f][attr];
}

/* Lay the attributes out in the order sip, dip, dport, proto. No field straddles two words: IPv4
 * addresses fill halves, IPv6 addresses whole words, and port and protocol come last. */
static void key_layout(unsigned attrs, int timed, unsigned f, exec_keylayout *k)
{
    unsigned bit = 0;

    *k = (exec_keylayout){.time_word = -1};
    for (unsigned a = 0; a < QUERY_N_ATTRS; a++) {
        if (!(attrs >> a & 1))
            continue;
        unsigned bits = attr_bits(a, f), in_word = bit % 64;
        k->f[k->n_fields++] = (exec_keyfield){
            .attr = (uint8_t)a,
            .word = (uint8_t)(bit / 64),
            .shift = (uint8_t)(bits >= 64 ? 0 : 64 - in_word - bits),
            .first = in_word == 0,
        };
        bit += bits;
    }
    k->kw = (bit + 63) / 64;
    if (timed)
        k->time_word = (int)k->kw++;
    if (k->kw == 0)
        k->kw = 1; /* no attribute: the constant key 0 */
}

gp_status exec_plan_build(const query_stmt *stmt, exec_plan *p, gp_err *err)
{
    unsigned attrs = stmt->fields.attr_mask;
    const unsigned ip = 1u << QUERY_SIP | 1u << QUERY_DIP;

    *p = (exec_plan){.key_attrs = attrs,
                     .split = (attrs & ip) != 0,
                     .timed = (stmt->labels & QUERY_LABEL_TIME) != 0,
                     .sorted_prefix = (attrs & 1u << QUERY_SIP) != 0,
                     .unique = attrs == (1u << QUERY_N_ATTRS) - 1,
                     .dirfilter = stmt->cond->dirfilter};
    p->one_address = !p->timed && (attrs == 1u << QUERY_SIP || attrs == 1u << QUERY_DIP);
    p->agg = attrs == 0 ? EXEC_AGG_SUM : p->split || p->timed ? EXEC_AGG_TABLE : EXEC_AGG_DIRECT;
    for (unsigned f = 0; f < EXEC_N_FAMILIES; f++)
        key_layout(attrs, p->timed, f, &p->key[f]);
    p->arena = gp_arena_new(PLAN_ARENA_BYTES);
    if (!p->arena)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for the plan");
    for (unsigned f = 0; f < EXEC_N_FAMILIES; f++) {
        gp_status st = exec_filter_build(stmt->cond, f == 0 ? 4 : 6, p->arena, &p->filter[f], err);
        if (st != GP_OK) {
            exec_plan_free(p);
            return st;
        }
    }
    return GP_OK;
}

void exec_plan_free(exec_plan *p)
{
    gp_arena_free(p->arena);
    p->arena = NULL;
}

static void addr_to_row(unsigned f, const exec_keyfield *k, const uint64_t *key, uint8_t *addr,
                        uint8_t *family)
{
    *family = f == 0 ? 4 : 6;
    if (f == 0) {
        gp_put_be32(addr, (uint32_t)(key[k->word] >> k->shift));
    } else {
        gp_put_be64(addr, key[k->word]);
        gp_put_be64(addr + 8, key[k->word + 1]);
    }
}

void exec_key_to_row(const exec_plan *p, int family, const uint64_t *key, result_row *row)
{
    const exec_keylayout *l = &p->key[family];

    for (unsigned i = 0; i < l->n_fields; i++) {
        const exec_keyfield *k = &l->f[i];
        switch (k->attr) {
        case QUERY_SIP:
            addr_to_row((unsigned)family, k, key, row->sip, &row->sip_family);
            break;
        case QUERY_DIP:
            addr_to_row((unsigned)family, k, key, row->dip, &row->dip_family);
            break;
        case QUERY_DPORT:
            row->dport = (uint16_t)(key[k->word] >> k->shift);
            break;
        default:
            row->proto = (uint8_t)(key[k->word] >> k->shift);
            break;
        }
    }
    if (l->time_word >= 0)
        row->time_s = (int64_t)key[l->time_word];
}
