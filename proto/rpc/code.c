/* code.c - the 17 status codes: names, and what they are as gp_status. */
#include "rpc/rpc.h"

static const char *const NAMES[] = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

const char *rpc_code_name(rpc_code c)
{
    return (size_t)c < GP_COUNT(NAMES) ? NAMES[c] : "UNKNOWN";
}

rpc_code rpc_code_from_status(gp_status st)
{
    switch (st) {
    case GP_OK:
        return RPC_OK;
    case GP_EINVAL:
        return RPC_INVALID_ARGUMENT;
    case GP_ENOMEM:
    case GP_ELIMIT:
        return RPC_RESOURCE_EXHAUSTED;
    case GP_EIO:
        return RPC_INTERNAL;
    case GP_ECORRUPT:
        return RPC_DATA_LOSS;
    case GP_ENOTFOUND:
        return RPC_NOT_FOUND;
    case GP_EEXIST:
        return RPC_ALREADY_EXISTS;
    case GP_ECANCELLED:
        return RPC_CANCELLED;
    case GP_EDEADLINE:
        return RPC_DEADLINE_EXCEEDED;
    case GP_EDENIED:
        return RPC_PERMISSION_DENIED;
    case GP_EUNAVAILABLE:
        return RPC_UNAVAILABLE;
    case GP_EUNSUPPORTED:
        return RPC_UNIMPLEMENTED;
    }
    return RPC_UNKNOWN;
}

gp_status rpc_code_to_status(rpc_code c)
{
    switch (c) {
    case RPC_OK:
        return GP_OK;
    case RPC_CANCELLED:
    case RPC_ABORTED:
        return GP_ECANCELLED;
    case RPC_INVALID_ARGUMENT:
    case RPC_FAILED_PRECONDITION:
    case RPC_OUT_OF_RANGE:
        return GP_EINVAL;
    case RPC_DEADLINE_EXCEEDED:
        return GP_EDEADLINE;
    case RPC_NOT_FOUND:
        return GP_ENOTFOUND;
    case RPC_ALREADY_EXISTS:
        return GP_EEXIST;
    case RPC_PERMISSION_DENIED:
    case RPC_UNAUTHENTICATED:
        return GP_EDENIED;
    case RPC_RESOURCE_EXHAUSTED:
        return GP_ELIMIT;
    case RPC_UNIMPLEMENTED:
        return GP_EUNSUPPORTED;
    case RPC_UNAVAILABLE:
        return GP_EUNAVAILABLE;
    case RPC_DATA_LOSS:
        return GP_ECORRUPT;
    case RPC_UNKNOWN:
    case RPC_INTERNAL:
        break;
    }
    return GP_EIO;
}
