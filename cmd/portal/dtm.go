package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"time"

	"countersign/dtmclient"
	"countersign/grants"
	"countersign/signing"
)

// The ways in that DTM_API_AUTH and DTM_CSC_AUTH may name.
const (
	wayKey     = "api-key"
	wayClient  = "client"
	wayRefresh = "refresh-token"
	wayPerson  = "person"
	wayDigest  = "digest"
	wayBasic   = "basic"
	wayMTLS    = "mtls"
)

var (
	apiWays = []string{wayKey, wayClient, wayMTLS}
	cscWays = []string{wayClient, wayPerson, wayRefresh, wayDigest, wayBasic, wayMTLS, wayKey}
)

// uses reports whether DTM is entered by one of these ways.
func (c config) uses(ways ...string) bool {
	return slices.Contains(ways, c.DTMAPIAuth) || slices.Contains(ways, c.DTMCSCAuth)
}

// mtlsURL is where a client certificate is taken.
func (c config) mtlsURL() string {
	if c.DTMMTLSURL != "" {
		return c.DTMMTLSURL
	}
	address, err := dtmclient.ClientAuthURL(c.DTMURL)
	if err != nil {
		return c.DTMURL // it has a problem of its own
	}
	return address
}

// at is the address for a way in.
func (c config) at(way string) string {
	if way == wayMTLS {
		return c.mtlsURL()
	}
	return c.DTMURL
}

// authenticator makes a way in. The API's and CSC's are made apart, so that neither waits
// for a token of the other. A refresh token is used only where it is kept: each use may
// change it.
func (c config) authenticator(way string, kept *grants.Service) dtmclient.Authenticator {
	secret := dtmclient.Secret(c.DTMClientSecret)
	switch way {
	case wayClient, wayPerson: // what is nobody's, such as the time, is asked for in the client's own name
		return dtmclient.ClientCredentials(c.DTMClientID, secret)
	case wayRefresh:
		if kept == nil {
			return dtmclient.Held(func(context.Context, *dtmclient.Client) (dtmclient.Tokens, error) {
				return dtmclient.Tokens{}, errNoTable
			})
		}
		return kept.Own(dtmclient.Secret(c.DTMRefresh))
	case wayDigest:
		return dtmclient.LoginDigest(c.DTMUser, dtmclient.Secret(c.DTMPassword))
	case wayBasic:
		return dtmclient.LoginBasic(c.DTMUser, dtmclient.Secret(c.DTMPassword))
	case wayMTLS:
		return dtmclient.ClientCertificate()
	}
	return dtmclient.APIKey(dtmclient.Secret(c.DTMKey))
}

// remoteClient is the client of the site; kept may be nil where nothing is signed.
func remoteClient(c config, kept *grants.Service, observe func(op string, outcome dtmclient.Kind, took time.Duration)) (*dtmclient.Client, error) {
	carrier, err := c.carrier()
	if err != nil {
		return nil, err
	}
	return dtmclient.New(dtmclient.Config{
		BaseURL: c.at(c.DTMAPIAuth) + "/documentmanager", AccountURL: c.at(c.DTMAPIAuth) + "/account", CSCBaseURL: c.at(c.DTMCSCAuth) + "/documentmanager",
		API: c.authenticator(c.DTMAPIAuth, kept), CSC: c.authenticator(c.DTMCSCAuth, kept), TokenURL: c.DTMTokenURL, HTTP: carrier,
		Timeouts:  dtmclient.Timeouts{Call: c.DTMCall, Authorize: c.DTMAuthorize, Sign: c.DTMSign},
		PlainHTTP: c.DTMPlain, CanSuspend: c.DTMSuspend, BreakAfter: 8, UserAgent: "countersign/" + version(),
		Observe: observe,
	})
}

// carrier is what connections to DTM are made with: nil for the ordinary one.
func (c config) carrier() (*http.Client, error) {
	if !c.uses(wayMTLS) && c.DTMRoots == "" {
		return nil, nil
	}
	conn := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.uses(wayMTLS) {
		pair, err := tls.X509KeyPair([]byte(c.DTMCert), []byte(cmp.Or(c.DTMCertKey, c.DTMCert)))
		if err != nil {
			return nil, err
		}
		conn.Certificates = []tls.Certificate{pair}
	}
	var err error
	if conn.RootCAs, err = readRoots(c.DTMRoots); err != nil {
		return nil, err
	}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: conn}}, nil
}

// settings are the variables a way in stands on.
func settings(way string) []string {
	switch way {
	case wayClient, wayPerson:
		return []string{"DTM_CLIENT_ID", "DTM_CLIENT_SECRET"}
	case wayRefresh:
		return []string{"DTM_CLIENT_ID", "DTM_CLIENT_SECRET", "DTM_REFRESH_TOKEN"}
	case wayDigest, wayBasic:
		return []string{"DTM_LOGIN_USER", "DTM_LOGIN_PASSWORD"}
	case wayMTLS:
		return []string{"DTM_CLIENT_CERT", "DTM_CLIENT_KEY"}
	}
	return []string{"DTM_API_KEY"}
}

// oauth is what the provider's page for approvals knows the site by.
func (c config) oauth() signing.OAuthClient {
	return signing.OAuthClient{ID: c.DTMClientID, Secret: dtmclient.Secret(c.DTMClientSecret), RedirectURI: c.BaseURL + "/ceremonies/approved"}
}

// wayNames are the ways in as doctor says them.
var wayNames = map[string]string{wayKey: "the API key", wayClient: "the OAuth client", wayPerson: "the OAuth client", wayRefresh: "the refresh token", wayDigest: "the login by Digest",
	wayBasic: "the login by Basic", wayMTLS: "the client certificate"}

// checkDTMAuth holds each way in against what it needs.
func checkDTMAuth(c config, p *problems) {
	p.check(slices.Contains(apiWays, c.DTMAPIAuth), "DTM_API_AUTH", "it must be one of "+strings.Join(apiWays, ", ")+".")
	p.check(slices.Contains(cscWays, c.DTMCSCAuth), "DTM_CSC_AUTH", "it must be one of "+strings.Join(cscWays, ", ")+".")
	need := func(name, value string, ways ...string) {
		for _, way := range ways {
			if value == "" && c.uses(way) && !p.has(name+"_FILE") {
				p.check(false, name, "it must be set, since "+way+" is the way in.")
			}
		}
	}
	need("DTM_API_KEY", string(c.DTMKey), wayKey)
	need("DTM_CLIENT_ID", c.DTMClientID, wayClient, wayPerson, wayRefresh)
	need("DTM_CLIENT_SECRET", string(c.DTMClientSecret), wayClient, wayPerson, wayRefresh)
	need("DTM_REFRESH_TOKEN", string(c.DTMRefresh), wayRefresh)
	need("DTM_LOGIN_USER", c.DTMUser, wayDigest, wayBasic)
	need("DTM_LOGIN_PASSWORD", string(c.DTMPassword), wayDigest, wayBasic)
	need("DTM_CLIENT_CERT", string(c.DTMCert), wayMTLS)
	if _, err := readRoots(c.DTMRoots); err != nil {
		p.add("DTM_TLS_ROOTS", "the roots cannot be read: "+err.Error())
	} else if c.uses(wayMTLS) && c.DTMCert != "" {
		_, err := c.carrier() // its words may hold parts of the file
		p.check(err == nil, "DTM_CLIENT_CERT", "certificate and key cannot be read as PEM, or do not belong together.")
		p.check(strings.HasPrefix(c.mtlsURL(), "https://"), "DTM_MTLS_URL", "it must be https: there is no certificate without TLS.")
	}
	checkAddress(p, "DTM_MTLS_URL", c.DTMMTLSURL)
	checkAddress(p, "DTM_TOKEN_URL", c.DTMTokenURL)
	p.check(!c.uses(wayPerson) || c.DTMTokenURL == "" || strings.HasSuffix(c.DTMTokenURL, "/token"), "DTM_TOKEN_URL", "it must end with /token, since person is the way in: the page where people agree is beside it.")
	p.check(!plain(c.DTMTokenURL) || c.DTMPlain, "DTM_TOKEN_URL", "it must be https.")
}
