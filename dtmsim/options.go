package dtmsim

import (
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"
)

// Options shape a simulator. The zero value is a usable one; New fills the gaps.
type Options struct {
	BaseURL string // as clients reach it, without a path; it is written into every certificate
	Data    string // folder that keeps everything; empty: memory only, and new keys at each start

	APIKey       string // x-api-key of the service user, who is a client administrator
	ClientID     string // OAuth 2.0 client credentials for CSC
	ClientSecret string
	Password     string   // of every user, for CSC auth/login
	RedirectURIs []string // of the OAuth client, the default first; none: a page of the simulator, and any address on this machine
	AccountID    string
	OrgID        string

	IssuanceDelay time.Duration // how long a credential stays PENDING_ISSUANCE
	ProofingAuto  time.Duration // papers are verified by themselves after this long; 0: the desk does it
	AutoApprove   bool          // validations approve themselves once everything is there
	PushTimeout   time.Duration // how long authorize waits for the phone before 504
	SADLife       time.Duration

	SendOTP200     bool    // sendOTP answers 200 {} in place of 204 (CSC 11.8)
	CSCAllowAPIKey bool    // seal mode: CSC takes x-api-key alone
	StrictHashes   bool    // authorize wants exactly numSignatures hashes
	RotateRefresh  bool    // each use of a refresh token gives another one
	StrictExtend   bool    // activation data signs once; what is left of it takes extendTransaction (CSC 11.7)
	Lenient        bool    // CSC takes "1" for 1 and "true" for true
	ErrorObject    bool    // DTM errors as one object in place of a list
	Hostile        uint64  // seed of the hostile mode; 0: off
	HostileRate    float64 // of calls that meet trouble in it; 0.05
	BareLists      bool    // DTM lists as bare arrays, whole, in place of pages in an envelope
	RateLimit      int     // requests per key in five seconds; 0: no limit

	RSABits  int  // of signer keys; 3072
	FastKeys bool // P-256 for the CA, TSA and OCSP keys, to start quickly in tests

	Hosts []string // further Host names the pages and control routes answer to
	Now   func() time.Time
	Rand  io.Reader
	Log   *slog.Logger
}

// Flags binds the options to command-line flags of the same meaning.
func (o *Options) Flags(fs *flag.FlagSet) {
	fs.StringVar(&o.BaseURL, "url", "", "address clients reach the simulator at (default: http://ADDR)")
	fs.StringVar(&o.Data, "data", "", "folder that keeps keys, people, credentials, ledger and mail; empty: memory only")
	fs.StringVar(&o.APIKey, "api-key", defaultAPIKey, "API key of the service user")
	fs.StringVar(&o.ClientID, "client-id", defaultClientID, "OAuth 2.0 client id for CSC")
	fs.StringVar(&o.ClientSecret, "client-secret", defaultClientSecret, "OAuth 2.0 client secret for CSC")
	fs.StringVar(&o.Password, "password", defaultPassword, "password of every user, for CSC auth/login")
	fs.StringVar(&o.AccountID, "account", defaultAccountID, "account id")
	fs.StringVar(&o.OrgID, "organization", defaultOrgID, "organization id")
	fs.DurationVar(&o.IssuanceDelay, "issuance-delay", 2*time.Second, "time a credential stays PENDING_ISSUANCE")
	fs.DurationVar(&o.ProofingAuto, "proofing-auto", 0, "papers are verified by themselves after this long; 0: by hand at the desk")
	fs.BoolVar(&o.AutoApprove, "auto-approve", false, "validations approve themselves once everything is there")
	fs.DurationVar(&o.PushTimeout, "push-timeout", defaultPushTimeout, "time authorize waits for the phone before 504")
	fs.DurationVar(&o.SADLife, "sad-life", defaultSADLife, "life of signature activation data")
	fs.BoolVar(&o.SendOTP200, "sendotp-200", false, "sendOTP answers 200 {} in place of 204")
	fs.BoolVar(&o.CSCAllowAPIKey, "csc-allow-api-key", false, "seal mode: CSC takes x-api-key alone")
	fs.BoolVar(&o.StrictExtend, "strict-extend", false, "each further signHash of an authorization wants extendTransaction")
	fs.BoolVar(&o.StrictHashes, "strict-hashes", false, "authorize wants exactly numSignatures hashes")
	fs.BoolVar(&o.RotateRefresh, "rotate-refresh", false, "each use of a refresh token gives another one, and ends the old")
	fs.Func("redirect-uri", "registered address of the OAuth client, the default one first; may come several times (default: a page of the simulator, and any address on this machine)",
		func(u string) error { o.RedirectURIs = append(o.RedirectURIs, u); return nil })
	fs.BoolVar(&o.Lenient, "lenient", false, "CSC takes numbers and booleans written as strings")
	fs.BoolVar(&o.ErrorObject, "error-object", false, "DTM errors as one object in place of a list")
	fs.BoolVar(&o.BareLists, "bare-lists", false, "DTM lists as bare arrays in place of pages")
	fs.IntVar(&o.RateLimit, "rate-limit", defaultRateLimit, "requests per key in five seconds; 0: no limit")
	fs.Uint64Var(&o.Hostile, "hostile", 0, "seed of the hostile mode, in which any call may meet trouble; 0: off")
	fs.Float64Var(&o.HostileRate, "hostile-rate", defaultHostileRate, "part of the calls that meet trouble in the hostile mode, between 0 and 1")
	fs.IntVar(&o.RSABits, "rsa-bits", 3072, "size of RSA signer keys")
	fs.BoolVar(&o.FastKeys, "fast-keys", false, "P-256 keys for the CA, TSA and OCSP responder")
}

func (o *Options) fill() error {
	set := func(v *string, d string) {
		if *v == "" {
			*v = d
		}
	}
	set(&o.BaseURL, "http://127.0.0.1:8081")
	set(&o.APIKey, defaultAPIKey)
	set(&o.ClientID, defaultClientID)
	set(&o.ClientSecret, defaultClientSecret)
	set(&o.Password, defaultPassword)
	set(&o.AccountID, defaultAccountID)
	set(&o.OrgID, defaultOrgID)
	if o.PushTimeout <= 0 {
		o.PushTimeout = defaultPushTimeout
	}
	if o.SADLife <= 0 {
		o.SADLife = defaultSADLife
	}
	if o.HostileRate == 0 {
		o.HostileRate = defaultHostileRate
	}
	if o.RSABits == 0 {
		o.RSABits = 3072
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	u, err := url.Parse(o.BaseURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.Path != "" {
		return fmt.Errorf("base address %q: want http://host:port", o.BaseURL)
	}
	if o.RSABits < 2048 {
		return fmt.Errorf("RSA keys of %d bits: want 2048 or more", o.RSABits)
	}
	return nil
}

// IsLoopback reports whether a listen address stays on this machine.
func IsLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
