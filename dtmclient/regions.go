package dtmclient

import (
	"errors"
	"maps"
	"net/url"
	"slices"
)

// regions are the addresses of DigiCert ONE that are public. They are presets and no more:
// whether Document Trust Manager runs in each of them is not said.
var regions = map[string]string{
	"us": "https://one.digicert.com", "us-demo": "https://demo.one.digicert.com",
	"jp": "https://one.digicert.co.jp", "jp-demo": "https://demo.one.digicert.co.jp",
	"ch": "https://one.ch.digicert.com", "ch-demo": "https://demo.one.ch.digicert.com",
	"nl": "https://one.nl.digicert.com", "nl-demo": "https://demo.one.nl.digicert.com",
}

// Region is the address of DigiCert ONE in a region, without a path; empty when there is none.
func Region(name string) string { return regions[name] }

// Regions are the names Region knows.
func Regions() []string { return slices.Sorted(maps.Keys(regions)) }

// ClientAuthURL is the address where DigiCert ONE takes a client certificate: the same
// name with "clientauth." before it.
func ClientAuthURL(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", errors.New("dtmclient: not an address")
	}
	u.Host = "clientauth." + u.Host
	return u.String(), nil
}
