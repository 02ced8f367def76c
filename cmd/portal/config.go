package main

import (
	"net/netip"
	"net/url"
	"strings"
	"time"

	"countersign/people"
)

// config is all configuration, one field for each variable of the environment. Its tags are
// the reference: docs/configuration.md and `portal config` are made from them. A group
// begins at the field that names it.
type config struct {
	Listen        string        `group:"Site" env:"LISTEN" envDefault:"127.0.0.1:8080" help:"Address and port the site listens on, over plain HTTP: TLS ends in front of it."`
	BaseURL       string        `env:"BASE_URL,required" help:"Address of the site as browsers see it: scheme and host, no path. With https, cookies are Secure and browsers are told to stay on TLS."`
	Proxies       []string      `env:"TRUSTED_PROXIES" help:"Prefixes, such as 10.0.0.0/8, of the proxies whose X-Forwarded-For counts."`
	CookieKey     secret        `env:"COOKIE_KEY,required" help:"Signs cookies: 32 to 64 random bytes in base64. Older keys may follow; the first signs, all are accepted."`
	CookieSuffix  string        `env:"COOKIE_SUFFIX" help:"Ends the names of the cookies, so that two sites on one host do not share them: letters and digits."`
	DrainTime     time.Duration `env:"DRAIN_TIME" envDefault:"30s" help:"How long running requests, and then jobs, may take to end when the program is asked to stop. An approval that somebody was asked for on their phone or that came back from the service's own page is waited for longer: DTM_AUTHORIZE_TIMEOUT and twice DTM_SIGN_TIMEOUT more."`
	LogLevel      string        `env:"LOG_LEVEL" envDefault:"info" help:"Least level of the log: debug, info, warn or error."`
	MetricsListen string        `env:"METRICS_LISTEN" help:"Address and port where Prometheus reads /metrics. Nothing there asks who reads, so keep it inside. Empty: off."`

	Organization string  `group:"Look" env:"ORGANIZATION" envDefault:"your organisation" help:"Name of the organisation, as pages and mails say it."`
	BrandName    string  `env:"BRAND_NAME" envDefault:"Countersign" help:"Name of the site."`
	BrandHue     float64 `env:"BRAND_HUE" envDefault:"266" unit:"degrees" help:"Hue of the site's colour in OKLCH, 0 to 360."`
	BrandChroma  float64 `env:"BRAND_CHROMA" envDefault:"0.165" help:"Strength of the site's colour in OKLCH, 0 to 0.2."`
	HelpEmail    string  `env:"HELP_EMAIL" help:"Where people can ask for help."`

	DatabaseURL   address `group:"Storage" env:"DATABASE_URL" envDefault:"sqlite:data/countersign.db" help:"Where rows are kept: sqlite:PATH, or postgres://user:password@host/name?sslmode=verify-full."`
	DatabaseConns int     `env:"DATABASE_CONNECTIONS" envDefault:"0" help:"Connections of one process. 0: 16 on PostgreSQL, 4 readers on SQLite."`
	BlobDir       string  `env:"BLOB_DIR" envDefault:"data/blobs" help:"Folder of the encrypted documents."`
	MasterKey     secret  `env:"MASTER_KEY,required" help:"Wraps the keys of all documents: 32 random bytes in base64. Older keys may follow; the first wraps, all unwrap. Without it every document is lost."`

	AuditKey    secret        `group:"Audit log" env:"AUDIT_KEY" help:"Signs the checkpoints of the log: 32 to 64 random bytes in base64. Empty: the key is derived from the first MASTER_KEY. A new one may replace it at any time: what the old one signed can still be checked."`
	AuditStamp  time.Duration `env:"AUDIT_TIMESTAMP_EVERY" envDefault:"1h" help:"How often the clock service stamps a checkpoint of the log that has grown, 1m to 24h; not with NO_TIMESTAMP."`
	AuditOrigin string        `env:"AUDIT_ORIGIN" help:"Name of the log in its checkpoints and receipts. Empty: the host of BASE_URL and /audit."`

	Issuer       string        `group:"Signing in" env:"OIDC_ISSUER,required" help:"Issuer of the OpenID provider, exactly as its discovery document says it."`
	ClientID     string        `env:"OIDC_CLIENT_ID,required" help:"Client id of this site at the provider. Its redirect address is BASE_URL/auth/callback, after signing out BASE_URL/signed-out."`
	ClientSecret secret        `env:"OIDC_CLIENT_SECRET" help:"Client secret; empty for a public client, which PKCE protects alone."`
	Scopes       []string      `env:"OIDC_SCOPES" envDefault:"openid,profile,email,phone" help:"Scopes asked for; openid must be among them."`
	RoleClaim    string        `env:"OIDC_ROLE_CLAIM" envDefault:"roles" help:"Claim with a person's roles; dots lead into it, as in realm_access.roles."`
	SignerRole   []string      `env:"OIDC_SIGNER_ROLES" envDefault:"signer" help:"Values of the claim that make a person a signer."`
	AdminRole    []string      `env:"OIDC_ADMIN_ROLES" envDefault:"admin" help:"Values that make an admin, who decides about identity checks."`
	AuditorRole  []string      `env:"OIDC_AUDITOR_ROLES" envDefault:"auditor" help:"Values that make an auditor, who reads the log."`
	IdleTime     time.Duration `env:"SESSION_IDLE" envDefault:"15m" help:"A session ends after this long without a page."`
	SessionTime  time.Duration `env:"SESSION_ABSOLUTE" envDefault:"8h" help:"A session ends after this long in any case."`

	DTMRegion       string        `group:"Document Trust Manager" env:"DTM_REGION" help:"Region of DigiCert ONE, instead of DTM_URL: us, jp, ch, nl, or with -demo behind it. Whether Document Trust Manager runs in each, DigiCert does not say."`
	DTMURL          string        `env:"DTM_URL" help:"Address of DigiCert ONE, such as https://one.digicert.com, without /documentmanager. It or DTM_REGION must be set."`
	DTMPlain        bool          `env:"DTM_PLAIN_HTTP" envDefault:"false" help:"Allow DTM_URL and MAILBOX_URL to be http on another machine. Only for a simulator: keys and codes would be readable on the way."`
	DTMAPIAuth      string        `env:"DTM_API_AUTH" envDefault:"api-key" help:"Way in for users, validations and credentials: api-key, client (OAuth 2.0 client credentials) or mtls (a client certificate)."`
	DTMCSCAuth      string        `env:"DTM_CSC_AUTH" envDefault:"client" help:"Way in for signing through the CSC API: client, person (every signer connects a DigiCert account of their own), refresh-token, digest, basic, mtls, or api-key, which accounts for seals take. DigiCert's pages contradict each other here: ask."`
	DTMKey          secret        `env:"DTM_API_KEY" help:"For api-key: API key of the service user that keeps users, validations and credentials."`
	DTMClientID     string        `env:"DTM_CLIENT_ID" help:"For client, person and refresh-token: OAuth 2.0 client for signing through the CSC API; also for credentials that people approve at the service's own page (oauth2code). Its redirect addresses are BASE_URL/account/connected for person and BASE_URL/ceremonies/approved for such credentials."`
	DTMClientSecret secret        `env:"DTM_CLIENT_SECRET" help:"Secret of that client."`
	DTMTokenURL     string        `env:"DTM_TOKEN_URL" help:"For client, person and refresh-token: where tokens are had. Empty: as the service itself tells."`
	DTMRefresh      secret        `env:"DTM_REFRESH_TOKEN" help:"For refresh-token: what a person's consent once gave. Where the service changes it with each use, the newest one is kept in the database, under MASTER_KEY, for the next start and for other replicas; this one is tried again when that is refused."`
	DTMUser         string        `env:"DTM_LOGIN_USER" help:"For digest and basic: user of CSC auth/login."`
	DTMPassword     secret        `env:"DTM_LOGIN_PASSWORD" help:"For digest and basic: that user's password."`
	DTMCert         secret        `env:"DTM_CLIENT_CERT" help:"For mtls: client certificate in PEM, its chain behind it."`
	DTMCertKey      secret        `env:"DTM_CLIENT_KEY" help:"For mtls: key of the certificate in PEM. Empty: it is in DTM_CLIENT_CERT too."`
	DTMMTLSURL      string        `env:"DTM_MTLS_URL" help:"For mtls: address that takes the certificate. Empty: that of DTM_URL with clientauth. before the name."`
	DTMRoots        string        `env:"DTM_TLS_ROOTS" help:"PEM file of the roots that DTM's TLS certificate is checked against, instead of the system's."`
	DTMAccount      string        `env:"DTM_ACCOUNT_ID,required" help:"Account that new users belong to."`
	DTMOrganization string        `env:"DTM_ORGANIZATION_ID" help:"Organisation that new validations belong to."`
	DTMBasic        string        `env:"DTM_PROFILE_BASIC" envDefault:"vp-basic" help:"Validation profile of the basic identity check."`
	DTMAdvanced     string        `env:"DTM_PROFILE_ADVANCED" envDefault:"vp-advanced" help:"Validation profile of the advanced identity check."`
	DTMSuspend      bool          `env:"DTM_CAN_SUSPEND" envDefault:"false" help:"The service has the calls that suspend and resume a credential, which DigiCert does not document."`
	DTMCall         time.Duration `env:"DTM_CALL_TIMEOUT" envDefault:"10s" help:"Longest wait for one answer, 1s to 1m."`
	DTMAuthorize    time.Duration `env:"DTM_AUTHORIZE_TIMEOUT" envDefault:"2m" help:"Longest wait for an authorization, 30s to 150s: the service itself waits up to a minute for a person's approval."`
	DTMSign         time.Duration `env:"DTM_SIGN_TIMEOUT" envDefault:"30s" help:"Longest wait for the signed hashes, 5s to 1m."`
	DTMLocksAfter   int           `env:"DTM_LOCKS_AFTER" envDefault:"5" unit:"tries" help:"With how many wrong codes or PINs in a row the service locks them, 2 to 100. One fewer reach it, then none for a day, so that nobody locks anybody's PIN or codes through the portal. DigiCert does not publish its number."`
	LookEvery       time.Duration `env:"LOOK_EVERY" envDefault:"2s" help:"How often open identity checks, credentials and unfinished work are looked at."`

	ApprovalHold  time.Duration `group:"Identity checks" env:"APPROVAL_HOLD" envDefault:"5m" help:"How long an approval can be undone before DTM is told, which takes a seat for good."`
	Approvals     int           `env:"APPROVALS" envDefault:"1" unit:"admins" help:"How many admins have to approve an identity check: 1, or 2, who are never the same person. 2 needs at least two admins, or three where admins are checked themselves."`
	WarnDays      []int         `env:"WARN_DAYS" envDefault:"30,7,1" unit:"days" help:"How long before a credential, or an identity check that waits for its person, ends by itself that person is mailed, once for each. The longest is also what pages call ending soon."`
	UsualBasic    string        `env:"USUAL_BASIC" envDefault:"a few minutes" help:"How long the basic check usually takes, as pages say it."`
	UsualAdvanced string        `env:"USUAL_ADVANCED" envDefault:"a few hours" help:"How long the advanced check usually takes, as pages say it."`

	Roots       string `group:"Signing and verifying" env:"TRUST_ROOTS" help:"PEM file of the root certificates that verifying trusts. Without it no signature is called valid, only undecided."`
	Level       string `env:"LEVEL" envDefault:"B-LT" help:"What a signed file is carried to after its release at B-T, by work in the background: B-T (nothing more), B-LT (proof that the certificates were good, once the issuer has published it) or B-LTA (and a timestamp over it, renewed in time). More than B-T takes TRUST_ROOTS."`
	NoTimestamp bool   `env:"NO_TIMESTAMP" envDefault:"false" help:"Release signatures without a timestamp. Only for a DTM without signatures/timestamp; LEVEL adds nothing then."`
	LateClock   bool   `env:"SIGN_WITHOUT_CLOCK" envDefault:"false" help:"Let people sign while the clock service is away; their files are finished once it answers again. Else they are asked to wait before a code is spent."`
	NeedRevoked bool   `env:"REVOCATION_REQUIRED" envDefault:"false" help:"Ask for no code as long as nobody can be asked whether the signer's certificate was revoked. Else the page says that it was not checked."`
	Together    int    `env:"SIGN_TOGETHER" envDefault:"25" unit:"documents" help:"Most documents whose hashes one signHash call takes, 1 to 100. A batch of more is signed in parts under one approval, each with activation data of its own (credentials/extendTransaction); an answer that is lost leaves one part in doubt."`
	BuiltBy     string `env:"SIGNATURES_BUILT_BY" envDefault:"countersign" help:"Who makes the signed attributes and the structure (CMS) around a signature: countersign, or dtm by its calls hashes and signatures, whose bodies DigiCert does not publish. What dtm gives is checked before it is approved and before it is used; where it gives no structure that can be used, countersign makes it of the same attributes and the same signature."`
	MaxUpload   int64  `env:"MAX_UPLOAD" envDefault:"1000000000" unit:"bytes" help:"Largest document."`
	MaxVerify   int64  `env:"MAX_VERIFY" envDefault:"100000000" unit:"bytes" help:"Largest file on the public page that verifies."`
	QuotaBytes  int64  `env:"QUOTA_BYTES" envDefault:"10000000000" unit:"bytes" help:"What one person may keep here."`
	QuotaFiles  int    `env:"QUOTA_FILES" envDefault:"1000" unit:"documents" help:"How many documents one person may keep here."`

	SMTP     address `group:"Mail" env:"SMTP_URL" help:"Mail server; must be set, unless MAILBOX_URL is. smtp://user:password@host:587 demands STARTTLS, smtps://…:465 is TLS from the start. ?tls=opportunistic or ?tls=none only without a password."`
	MailFrom string  `env:"MAIL_FROM" envDefault:"countersign@localhost" help:"Sender of the mails."`

	Mailbox   string `group:"With the simulator only" env:"MAILBOX_URL" help:"The simulator takes the mails over HTTP, instead of SMTP_URL."`
	DemoMail  string `env:"DEMO_MAIL_URL" help:"Link to the simulator's mailbox on the pages."`
	DemoPhone string `env:"DEMO_PHONE_URL" help:"Link to the simulator's phone on the pages."`
}

const redacted = "[redacted]"

// secret does not show itself in a log or a printed configuration.
type secret string

func (secret) String() string   { return redacted }
func (secret) GoString() string { return redacted }

// address may hold a name and a password, which it does not show.
type address string

func (a address) String() string {
	u, err := url.Parse(string(a))
	if err != nil {
		return redacted
	}
	if u.Opaque != "" || u.Host == "" { // sqlite:PATH
		return string(a)
	}
	shown := u.Scheme + "://"
	if u.User != nil {
		shown += redacted + "@"
	}
	shown += u.Host + u.Path
	if u.RawQuery != "" { // PostgreSQL takes a password here too
		shown += "?" + redacted
	}
	return shown
}

func (a address) GoString() string { return a.String() }

// hidden are the parts of the configuration that must never be printed.
func (c config) hidden() (all []string) {
	for _, list := range []secret{c.CookieKey, c.MasterKey, c.AuditKey, c.ClientSecret, c.DTMKey, c.DTMClientSecret, c.DTMRefresh, c.DTMPassword, c.DTMCert, c.DTMCertKey} {
		all = append(all, strings.Split(string(list), ",")...)
	}
	for _, a := range []address{c.DatabaseURL, c.SMTP} {
		u, err := url.Parse(string(a))
		if err != nil {
			all = append(all, string(a))
			continue
		}
		if password, ok := u.User.Password(); ok {
			all = append(all, password, url.QueryEscape(password))
		}
		all = append(all, u.Query().Get("password"))
	}
	return all
}

func loopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	if u.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}

// plain reports whether an address sends in the clear over a network.
func plain(address string) bool { return strings.HasPrefix(address, "http://") && !loopback(address) }

// origin of an address: scheme://host.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// warnBefore is when people are told of an end.
func (c config) warnBefore() (all []time.Duration) {
	for _, days := range c.WarnDays {
		all = append(all, time.Duration(days)*24*time.Hour)
	}
	return all
}

// roleMap is which value of the role claim gives which role.
func (c config) roleMap() map[string]people.Role {
	m := map[string]people.Role{}
	for role, values := range map[people.Role][]string{people.Signer: c.SignerRole, people.Admin: c.AdminRole, people.Auditor: c.AuditorRole} {
		for _, v := range values {
			m[v] = role
		}
	}
	return m
}
