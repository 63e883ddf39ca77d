/* csv.h - the flows of a bank as CSV, for tests and for looking. */
#ifndef FLOW_CSV_H
#define FLOW_CSV_H

#include "flow/table.h"
#include "gp/bytes.h"

#define FLOW_CSV_HEAD                                                                              \
    "sip,dip,dport,proto,packets,bytes,fwd_packets,fwd_bytes,rev_packets,rev_bytes,entries"

/* Append the line FLOW_CSV_HEAD and one line a flow, sorted as stored. fwd is what travelled from
 * sip to dip, so the bank must come from a table with by_endpoint. entries: 5-tuples folded into
 * the flow. */
gp_status flow_csv(const flow_bank *b, gp_buf *out, gp_err *err) GP_MUST_CHECK;

#endif
