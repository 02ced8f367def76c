package fetch

import "net/netip"

// notPublic are the ranges that are global unicast by their form only (the registries of
// special-purpose addresses, RFC 6890).
var notPublic = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "3fff::/20",
)

var (
	globalV6  = netip.MustParsePrefix("2000::/3")     // RFC 4291: all that is given out
	nat64     = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052: the last four bytes are IPv4
	sixToFour = netip.MustParsePrefix("2002::/16")    // RFC 3056: bytes 2 to 5 are IPv4
)

// Public tells whether an address belongs to the public internet: no loopback, private,
// link-local, shared, multicast, documentation or unspecified address, also none of those
// inside an IPv6 address (mapped, NAT64, 6to4).
func Public(a netip.Addr) bool {
	a = a.Unmap()
	if a.Zone() != "" || !a.IsGlobalUnicast() && !nat64.Contains(a) || a.IsPrivate() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	if a.Is4() {
		return true
	}
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return Public(netip.AddrFrom4([4]byte(b[12:16])))
	case sixToFour.Contains(a):
		return Public(netip.AddrFrom4([4]byte(b[2:6])))
	}
	return globalV6.Contains(a)
}

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}
