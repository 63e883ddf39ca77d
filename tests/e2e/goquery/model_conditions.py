"""model_conditions.py - random conditions with their canonical text and what they match (query.md 3)."""
import ipaddress

PROTOCOLS = {0: "HOPOPT", 1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 41: "IPv6", 47: "GRE",
             50: "IPSEC-ESP", 51: "IPSEC-AH", 58: "IPv6-ICMP", 89: "OSPFIGP", 103: "PIM",
             112: "VRRP"}
NEGATED = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
SPELLED = {"=": ["=", "==", " = ", " eq ", " equals "], "!=": ["!=", " != ", " ne ", " neq "],
           "<": ["<", " lt ", " l ", " less "], "<=": ["<=", " le ", " leq "],
           ">": [">", " gt ", " g ", " greater "], ">=": [">=", " ge ", " geq "]}
COMPARE = {"=": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
           "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}


class Tree:
    """text as typed; yes, no: canonical text of it and of its negation; match(attrs); families."""

    def __init__(self, text, yes, no, match, families=frozenset()):
        self.text, self.yes, self.no, self.match, self.families = text, yes, no, match, families


def either(fields, op, value):
    """Canonical text of one comparison, or of two joined."""
    parts = ["%s %s %s" % (f, op, value) for f in fields]
    return parts[0] if len(parts) == 1 else "(%s %s %s)" % (parts[0], "|" if op == "=" else "&",
                                                             parts[1])


def address_leaf(rng, addresses):
    name, where, typed = rng.choice([("ip", (0,), ["sip", "src"]), ("ip", (1,), ["dip", "dst"]),
                                     ("ip", (0, 1), ["host"]), ("net", (0,), ["snet"]),
                                     ("net", (1,), ["dnet"]), ("net", (0, 1), ["net"])])
    fields = [("s" + name if i == 0 else "d" + name) for i in where]
    address, op = rng.choice(addresses), rng.choice(["=", "!="])
    value = str(address)
    if name == "ip":
        def hit(a):
            return a == address
    else:
        value += "/%d" % rng.randint(0, address.max_prefixlen)
        network = ipaddress.ip_network(value, strict=False)

        def hit(a):
            return a.version == address.version and a in network
    return Tree(rng.choice(typed) + rng.choice(SPELLED[op]) + rng.choice([value, value.upper()]),
                either(fields, op, value), either(fields, NEGATED[op], value),
                lambda v: any(hit(v[i]) for i in where) == (op == "="), frozenset([address.version]))


def number_leaf(rng):
    if rng.random() < .5:
        field, at, typed = "dport", 2, ["dport", "port"]
        number = rng.choice([53, 80, 443, 22, 5060, rng.randint(0, 65535)])
        value = str(number)
    else:
        field, at, typed = "proto", 3, ["proto", "protocol", "ipproto"]
        number = rng.choice([*PROTOCOLS, rng.randint(0, 255)])
        value = rng.choice([str(number), PROTOCOLS.get(number, str(number))])
    op = rng.choice(list(COMPARE))
    return Tree(rng.choice(typed) + rng.choice(SPELLED[op]) + value,
                "%s %s %s" % (field, op, value.lower()),
                "%s %s %s" % (field, NEGATED[op], value.lower()),
                lambda v: COMPARE[op](v[at], number))


def random_tree(rng, addresses, depth):
    if depth == 0 or rng.random() < .35:
        return address_leaf(rng, addresses) if rng.random() < .6 else number_leaf(rng)
    a = random_tree(rng, addresses, depth - 1)
    if rng.random() < .25:
        text = rng.choice(["!(%s)", "not (%s)", "! [%s]", "not(%s)"]) % a.text
        return Tree(text, a.no, a.yes, lambda v: not a.match(v), a.families)
    b = random_tree(rng, addresses, depth - 1)
    families = a.families | b.families
    if rng.random() < .5:
        text = "(%s)%s(%s)" % (a.text, rng.choice([" & ", "&", " and ", " && ", " * "]), b.text)
        return Tree(text, "(%s & %s)" % (a.yes, b.yes), "(%s | %s)" % (a.no, b.no),
                    lambda v: a.match(v) and b.match(v), families)
    text = "{%s}%s[%s]" % (a.text, rng.choice([" | ", "|", " or ", " || ", " + "]), b.text)
    return Tree(text, "(%s | %s)" % (a.yes, b.yes), "(%s & %s)" % (a.no, b.no),
                lambda v: a.match(v) or b.match(v), families)


def random_condition(rng, addresses):
    """Members condition, canonical, match, family (0: both) and direction of a query."""
    q = {"condition": "", "canonical": "", "match": lambda v: True, "family": 0, "direction": ""}
    if rng.random() < .7:
        tree = random_tree(rng, addresses, rng.randint(0, 3))
        q.update(condition=tree.text, canonical=tree.yes, match=tree.match,
                 family=min(tree.families) if len(tree.families) == 1 else 0)
    if rng.random() < .25:
        word, q["direction"] = rng.choice([("in", "in"), ("out", "out"), ("uni", "uni"), ("bi", "bi"),
                                           ("inbound", "in"), ("unidirectional", "uni")])
        if not q["condition"]:
            q["condition"] = q["canonical"] = "dir = " + word
        elif rng.random() < .5:
            q["condition"] = "dir=%s & (%s)" % (word, q["condition"])
            q["canonical"] = "(dir = %s & %s)" % (word, q["canonical"])
        else:
            q["condition"] = "(%s) and dir = %s" % (q["condition"], word)
            q["canonical"] = "(%s & dir = %s)" % (q["canonical"], word)
    return q
