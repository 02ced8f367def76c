package dtmsim

import (
	"context"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"
)

// sad is what an authorization has left to give (CSC 8.2).
type sad struct {
	credential *credential
	left       int             // signatures
	used       bool            // signed once
	hashes     map[string]bool // the only ones it signs; nil under SCAL 1
	expires    time.Time
}

func (s *Sim) killSAD(value string, d *sad, why string) {
	delete(s.sads, value)
	if err := s.note(LedgerEntry{Kind: LedgerSADDied, User: d.credential.User, Credential: d.credential.Name, SAD: fingerprint(value), Signatures: d.left, Text: why}); err != nil {
		s.log.Error("dtmsim: ledger was not kept", "err", err)
	}
}

const disabledText = "The credential identified by credentialID is disabled"

// usable finds the credential and checks that its key may be used.
func (c *cscCall) usable() (*credential, error) {
	cr, err := c.credentialParam()
	if err != nil {
		return nil, err
	}
	return cr, c.ready(cr)
}

func (c *cscCall) ready(cr *credential) error {
	if cr.Status != credActive {
		return refuse(disabledText)
	}
	if c.certStatus(cr) != "valid" {
		return refuse("Invalid certificate status")
	}
	return nil
}

func (c *cscCall) recordUse(cr *credential, action, status, text string, hashes [][]byte) {
	p := profileOf(cr.Profile)
	name := cr.User
	if u := c.Sim.user(cr.User); u != nil {
		name = u.UserName
	}
	c.record(auditRecord{Type: "signature", Resource: cr.Name, Action: action, Actor: cr.User, ActorName: name, Auth: c.auth, Status: status,
		Text: text, Credential: p.Subject, Level: p.Standard, Hashes: hexes(hashes)})
}

// cscSendOTP is credentials/sendOTP (CSC 11.8).
func cscSendOTP(c *cscCall) (any, error) {
	cr, err := c.usable()
	if err != nil {
		return nil, err
	}
	if profileOf(cr.Profile).OTP != "online" {
		return nil, refuse(msgOTPNotOnline)
	}
	if c.otpLocked(cr) {
		return nil, refuse("OTP locked")
	}
	now, trouble := c.now(), faultOf(c.r.Context())
	if wait := cr.OTP.SentAt.Add(otpResend).Sub(now); cr.OTP.Code != "" && wait > 0 {
		return nil, &cscError{status: http.StatusTooManyRequests, code: "invalid_request", text: msgOTPTooSoon, retryAfter: int(wait/time.Second) + 1}
	}
	if err := c.note(LedgerEntry{Kind: LedgerOTPSent, User: cr.User, Credential: cr.Name, ClientData: c.str("clientData"), Text: trouble.Effect}); err != nil {
		return nil, err
	}
	cr.OTP.Code, cr.OTP.SentAt = c.digits(otpDigits), now
	c.sendCode(cr, trouble)
	c.touch()
	c.recordUse(cr, "send_otp", "success", "Code sent", nil)
	if c.opt.SendOTP200 {
		return struct{}{}, nil
	}
	return noContent{}, nil
}

func (c *cscCall) otpLocked(cr *credential) bool {
	if cr.OTP.Locked.IsZero() {
		return false
	}
	if c.now().Before(cr.OTP.Locked) {
		return true
	}
	cr.OTP.Locked, cr.OTP.Tries = time.Time{}, 0
	c.touch()
	return false
}

// wanted is what an authorization is asked for.
type wanted struct {
	credential *credential
	profile    profile
	signatures int
	hashes     [][]byte
}

// wanted checks everything but the factors, in the order of CSC 11.6.
func (c *cscCall) wanted() (wanted, error) {
	cr, err := c.usable()
	if err != nil {
		return wanted{}, err
	}
	n, ok := c.integer("numSignatures")
	p := profileOf(cr.Profile)
	switch {
	case !ok:
		return wanted{}, refuse("Missing (or invalid type) integer parameter numSignatures")
	case n < 1:
		return wanted{}, refuse("Invalid value for parameter numSignatures")
	case n > p.Multisign:
		return wanted{}, refuse("Numbers of signatures is too high")
	}
	hashes, err := c.boundHashes(p, n)
	if err != nil {
		return wanted{}, err
	}
	if c.opt.StrictHashes && p.SCAL == "2" && len(hashes) != n {
		return wanted{}, refuse(msgHashCount)
	}
	if len([]rune(c.str("description"))) > 500 {
		return wanted{}, refuse("Invalid parameter description")
	}
	return wanted{cr, p, n, hashes}, nil
}

// cscAuthorize is credentials/authorize (CSC 11.6).
func cscAuthorize(c *cscCall) (any, error) {
	w, err := c.wanted()
	if err != nil {
		return nil, err
	}
	cr, p, n, hashes := w.credential, w.profile, w.signatures, w.hashes
	if p.AuthMode == "oauth2code" {
		return nil, refuse(msgByOAuth)
	}
	if err := c.factors(cr, p, n, hashes); err != nil {
		c.recordUse(cr, "authorize", "failure", "Not authorized", hashes)
		return nil, err
	}
	value, err := c.issueSAD(LedgerSADIssued, cr, n, hashes)
	if err != nil {
		return nil, err
	}
	c.recordUse(cr, "authorize", "success", "Authorized", hashes)
	return map[string]any{"SAD": value, "expiresIn": int(c.opt.SADLife / time.Second)}, nil
}

// boundHashes checks the hash parameter of authorize and extendTransaction against SCAL and count.
func (c *cscCall) boundHashes(p profile, n int) ([][]byte, error) {
	hashes, sent, err := c.hashes()
	if err != nil {
		return nil, err
	}
	if !sent {
		if p.SCAL == "2" || c.in["hash"] != nil {
			return nil, refuse(msgHashMissing)
		}
		return nil, nil
	}
	for _, h := range hashes {
		if len(h) != 32 && len(h) != 48 && len(h) != 64 {
			return nil, refuse("Invalid digest value length")
		}
	}
	if len(hashes) > n {
		return nil, refuse(msgHashCount)
	}
	return hashes, nil
}

func (c *cscCall) issueSAD(kind string, cr *credential, n int, hashes [][]byte) (string, error) {
	value := c.secret()
	d := &sad{credential: cr, left: n, expires: c.clock().Add(c.opt.SADLife)}
	if profileOf(cr.Profile).SCAL == "2" {
		d.hashes = map[string]bool{}
		for _, h := range hashes {
			d.hashes[string(h)] = true
		}
	}
	err := c.note(LedgerEntry{Kind: kind, User: cr.User, Credential: cr.Name, SAD: fingerprint(value), Signatures: n, Hashes: hexes(hashes), ClientData: c.str("clientData")})
	if err != nil {
		return "", err
	}
	c.sads[value] = d
	return value, nil
}

// factors asks for whatever the profile wants: locks first, then PIN, then OTP, or the phone.
func (c *cscCall) factors(cr *credential, p profile, n int, hashes [][]byte) error {
	if p.Push {
		return c.askPhone(cr, n, hashes)
	}
	u := c.Sim.user(cr.User)
	p = c.without(p)
	if p.PIN && u.PINLocked {
		return c.try(LedgerPINTry, cr, "locked", refuse("PIN locked"))
	}
	if p.OTP != "" && c.otpLocked(cr) {
		return c.try(LedgerOTPTry, cr, "locked", refuse("OTP locked"))
	}
	if p.PIN {
		if err := c.checkPIN(cr, u); err != nil {
			return err
		}
	}
	if p.OTP != "" {
		return c.checkOTP(cr, p, u)
	}
	return nil
}

// without takes the factor out of a profile that may be left out, and was.
func (c *cscCall) without(p profile) profile {
	_, pin := c.in["PIN"]
	_, otp := c.in["OTP"]
	switch {
	case !pin && (p.Optional == "PIN" || p.Optional == "either" && otp):
		p.PIN = false
	case !otp && (p.Optional == "OTP" || p.Optional == "either" && pin):
		p.OTP = ""
	}
	return p
}

// try notes a try in the ledger and passes its outcome on.
func (c *cscCall) try(kind string, cr *credential, outcome string, err error) error {
	c.touch()
	if e := c.note(LedgerEntry{Kind: kind, User: cr.User, Credential: cr.Name, Outcome: outcome, ClientData: c.str("clientData")}); e != nil {
		return e
	}
	return err
}

func (c *cscCall) checkPIN(cr *credential, u *user) error {
	pin, err := c.need("PIN")
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(pin), []byte(u.PIN)) == 1 {
		u.PINTries = 0
		return c.try(LedgerPINTry, cr, "ok", nil)
	}
	u.PINTries++
	u.PINLocked = u.PINTries >= maxTries
	return c.try(LedgerPINTry, cr, "wrong", &cscError{status: http.StatusBadRequest, code: "invalid_pin", text: "The PIN is invalid"})
}

func (c *cscCall) checkOTP(cr *credential, p profile, u *user) error {
	code, err := c.need("OTP")
	if err != nil {
		return err
	}
	ok := false
	if p.OTP == "offline" {
		ok = c.takeTOTP(u, code)
	} else {
		ok = cr.OTP.Code != "" && c.now().Before(cr.OTP.SentAt.Add(otpLife)) && subtle.ConstantTimeCompare([]byte(code), []byte(cr.OTP.Code)) == 1
	}
	if ok {
		cr.OTP = otpState{} // a code works once
		return c.try(LedgerOTPTry, cr, "ok", nil)
	}
	cr.OTP.Tries++
	if cr.OTP.Tries >= maxTries {
		cr.OTP.Locked, cr.OTP.Code = c.now().Add(otpLockTime), ""
	}
	return c.try(LedgerOTPTry, cr, "wrong", &cscError{status: http.StatusBadRequest, code: "invalid_otp", text: "The OTP is invalid"})
}

// push is a question on the phone.
type push struct {
	id, user    string
	credential  *credential
	description string
	signatures  int
	hashes      []string
	at          time.Time
	outcome     string // empty while it waits
	done        chan struct{}
}

// The ways a push ends.
const (
	pushApproved  = "approved"
	pushDeclined  = "declined"
	pushTimeout   = "timeout"
	pushWithdrawn = "withdrawn"
)

func (p *push) decide(outcome string) bool {
	if p.outcome != "" {
		return false
	}
	p.outcome = outcome
	close(p.done)
	return true
}

const keepPushes = 200

// askPhone blocks until the person has answered, as the real service does.
func (c *cscCall) askPhone(cr *credential, n int, hashes [][]byte) error {
	p := &push{id: c.newID(), user: cr.User, credential: cr, description: strings.TrimSpace(c.str("description")), signatures: n,
		hashes: hexes(hashes), at: c.now(), done: make(chan struct{})}
	for id, old := range c.pushes {
		if len(c.pushes) >= keepPushes && old.outcome != "" {
			delete(c.pushes, id)
		}
	}
	c.pushes[p.id] = p
	c.waitForPhone(c.r.Context(), p)
	if err := c.note(LedgerEntry{Kind: LedgerPush, User: cr.User, Credential: cr.Name, Outcome: p.outcome, Signatures: n, Text: p.description, Hashes: p.hashes}); err != nil {
		return err
	}
	switch p.outcome {
	case pushApproved:
		return nil
	case pushDeclined:
		return &cscError{status: http.StatusForbidden, code: "access_denied", text: msgDeclined}
	case pushTimeout:
		return &cscError{status: http.StatusGatewayTimeout, plain: true}
	}
	return refuse(disabledText)
}

func (c *cscCall) waitForPhone(ctx context.Context, p *push) {
	deadline := c.clock().Add(c.opt.PushTimeout)
	for p.outcome == "" {
		left := deadline.Sub(c.clock())
		if left <= 0 {
			p.decide(pushTimeout)
			return
		}
		moved, late := c.moved, false
		c.unlocked(func() {
			t := time.NewTimer(left)
			defer t.Stop()
			select {
			case <-p.done:
			case <-t.C:
				late = true // also where the clock stands still
			case <-moved:
			case <-ctx.Done():
			}
		})
		if late {
			p.decide(pushTimeout)
		}
		if ctx.Err() != nil {
			p.decide(pushWithdrawn)
		}
	}
}

// cscExtend is credentials/extendTransaction (CSC 11.7).
func cscExtend(c *cscCall) (any, error) {
	value, err := c.need("SAD")
	if err != nil {
		return nil, err
	}
	cr, err := c.credentialParam()
	if err != nil {
		return nil, err
	}
	d, err := c.liveSAD(value, cr)
	if err != nil {
		return nil, err
	}
	hashes, err := c.boundHashes(profileOf(cr.Profile), d.left)
	if err != nil {
		return nil, err
	}
	next, err := c.issueSAD(LedgerSADExtended, cr, d.left, hashes)
	if err != nil {
		return nil, err
	}
	delete(c.sads, value)
	return map[string]any{"SAD": next, "expiresIn": int(c.opt.SADLife / time.Second)}, nil
}

func (c *cscCall) liveSAD(value string, cr *credential) (*sad, error) {
	d := c.sads[value]
	if d == nil || d.credential != cr {
		return nil, refuse("Invalid parameter SAD")
	}
	if faultOf(c.r.Context()).Effect == EffectSADExpired {
		d.expires = c.clock()
	}
	if !c.clock().Before(d.expires) {
		return nil, refuse("SAD expired")
	}
	return d, nil
}
