package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"countersign/dtmclient"
	"countersign/pades/trust"
	"countersign/pades/tsp"
	"countersign/signing"
)

// access asks for something that needs a token. That the service misses the name of a user
// shows that it took the token.
func (d *doctor) access(ctx context.Context, f *finding) {
	remote := d.dtm(ctx, f)
	if remote == nil {
		return
	}
	if d.unkept != nil {
		f.say(untried, "%s.", cause(d.unkept))
		return
	}
	if d.c.DTMCSCAuth == wayPerson {
		f.say(ok, "every signer connects an account of their own; register %s/account/connected as redirect address of the client.", d.c.BaseURL)
	}
	names, err := remote.CredentialsList(ctx, d.user)
	var e *dtmclient.Error
	switch {
	case err == nil:
		d.told.credentials = names
		f.say(ok, "%s is taken by the signing service, which lists %d credentials.", wayNames[d.c.DTMCSCAuth], len(names))
	case errors.As(err, &e) && e.Op == "credentials/list" && (e.Kind == dtmclient.Invalid || e.Kind == dtmclient.NotFound) && d.user == "":
		f.say(ok, "%s is taken by the signing service; to list credentials it wants to know whose (-user ID), as CSC has it for a way in that is nobody's own.", wayNames[d.c.DTMCSCAuth])
	case errors.As(err, &e) && e.Op == "credentials/list" && (e.Kind == dtmclient.Invalid || e.Kind == dtmclient.NotFound):
		f.say(warn, "%s is taken by the signing service, which lists no credentials of the user given with -user: %s.", wayNames[d.c.DTMCSCAuth], cause(err))
	default:
		offers := strings.Join(d.told.info.AuthType, ", ")
		if offers == "" {
			offers = "nothing it tells"
		}
		refused(f, err, wayNames[d.c.DTMCSCAuth], "list credentials", "Set "+strings.Join(settings(d.c.DTMCSCAuth), ", ")+" anew and let it use the signing service, or choose another DTM_CSC_AUTH: the service offers "+offers+".")
	}
}

// credential holds one credential against what signing demands.
func (d *doctor) credential(ctx context.Context, f *finding) {
	name := d.credentialName
	if name == "" && len(d.told.credentials) > 0 {
		name = d.told.credentials[0]
	}
	if name == "" {
		f.say(untried, "not tried: no credential is known. Name one with -credential NAME, as DTM shows it, or its user with -user ID.")
		return
	}
	remote := d.dtm(ctx, f)
	if remote == nil {
		return
	}
	info, err := remote.CredentialInfo(ctx, name)
	if err != nil {
		f.say(bad, "the credential %q cannot be read: %s.", name, cause(err))
		return
	}
	f.say(ok, "%q was looked at; its key is %s.", name, info.KeyStatus)
	if info.KeyStatus != "enabled" {
		f.say(warn, "a key that is not enabled signs nothing. Look at the credential at DTM, or name another one with -credential.")
	}
	examined(f, info, signing.Examine(info, d.c.DTMClientID != "", d.pool(), d.now()), d.pool() == nil)
	other, err := remote.Credential(ctx, name)
	var e *dtmclient.Error
	switch {
	case errors.As(err, &e) && e.Kind == dtmclient.NotFound:
		f.differs(dtmclient.Assumed("credential.get"), "DTM's API knows no credential of the name that CSC lists, though both are taken for one.")
	case err != nil:
		f.differs(dtmclient.Assumed("credential.get"), "DTM's API does not tell of it: %s.", cause(err))
	case other.Status != "ACTIVE":
		f.say(warn, "DTM says that it is %s.", other.Status)
	default:
		f.say(ok, "DTM's API knows it by the same name, as active.")
	}
}

// examined tells how a credential would be signed with.
func examined(f *finding, info dtmclient.CredentialInfo, e signing.Examined, rootless bool) {
	switch {
	case e.NoAlgorithm != nil:
		f.say(bad, "its key cannot be used: %s. We sign with %s. Have a credential issued from another profile.", cause(e.NoAlgorithm), strings.Join(signing.SignAlgorithms(), ", "))
	case e.Best:
		f.say(ok, "of the algorithms %s we would sign with %s.", strings.Join(info.KeyAlgo, ", "), e.Algorithm)
	default:
		f.say(warn, "of the algorithms %s we would sign with %s, which is not our first choice for this key; some readers of PDF may not take it.", strings.Join(info.KeyAlgo, ", "), e.Algorithm)
	}
	if e.NoFactor != nil {
		f.say(bad, "how it is approved cannot be done here: %s. Have a credential issued that asks for a code, a PIN or an approval in the app.", cause(e.NoFactor))
	} else {
		f.say(ok, "it is approved by %s (authMode %s, PIN %s, OTP %s); one approval covers up to %d documents.", approvedBy(e.Factor), info.AuthMode, info.PIN.Presence, info.OTP.Presence, info.Multisign)
	}
	if e.Factor.Bound {
		f.say(ok, `an approval is bound to what is signed (SCAL "2").`)
	} else {
		f.say(warn, `an approval is not bound to what is signed (SCAL %q): the hashes are sent all the same. Ask DigiCert for a profile with SCAL "2".`, info.SCAL)
	}
	if info.CertStatus != "" && info.CertStatus != "valid" {
		f.say(warn, "the service says that its certificate is %s.", info.CertStatus)
	}
	switch n := len(info.Certificates); {
	case e.NoCertificate != nil:
		f.say(bad, "its certificate must not sign: %s. If its root is missing, add it to TRUST_ROOTS.", cause(e.NoCertificate))
	case rootless:
		f.say(warn, "its certificate holds until %s; without TRUST_ROOTS nobody can say whether it is trusted.", info.Certificates[0].NotAfter.Format(time.DateOnly))
	default:
		f.say(ok, "its certificate holds until %s, and leads to a root of TRUST_ROOTS (%d certificates in its chain).", info.Certificates[0].NotAfter.Format(time.DateOnly), n)
	}
}

func approvedBy(f signing.Factor) string {
	var how []string
	if f.NeedsPIN() {
		how = append(how, "a PIN")
	}
	if f.NeedsOTP() {
		how = append(how, map[bool]string{true: "a code from the person's own generator", false: "a code that is sent"}[f.OTPType == "offline"])
	}
	switch {
	case len(how) > 0:
		return strings.Join(how, " and ")
	case f.Mode == "implicit":
		return "the person in the app"
	}
	return "the person at the provider's own page"
}

// timestamp has a random digest stamped: nobody's signature, but perhaps of a quota.
func (d *doctor) timestamp(ctx context.Context, f *finding) {
	switch {
	case d.c.NoTimestamp:
		f.say(untried, "not tried, since NO_TIMESTAMP is set: signatures are released without a proof of their time.")
		return
	case d.noTimestamp:
		f.say(untried, "not tried, as -no-timestamp asks.")
		return
	}
	remote := d.dtm(ctx, f)
	if remote == nil {
		return
	}
	nonce, err := tsp.NewNonce(rand.Reader)
	if err != nil {
		f.say(bad, "%s.", cause(err))
		return
	}
	digest := sha256.Sum256([]byte(rand.Text()))
	der, err := remote.Timestamp(ctx, digest[:], crypto.SHA256, nonce.Bytes())
	if err != nil {
		refused(f, err, wayNames[d.c.DTMCSCAuth], "have timestamps made", "Ask DigiCert for signatures/timestamp, or set NO_TIMESTAMP=true and be content with signatures without a proof of their time.")
		return
	}
	token, err := tsp.ParseToken(der)
	if err == nil && token.Hash != crypto.SHA256 {
		err = fmt.Errorf("it was made with %s", token.Hash)
	}
	if err == nil {
		err = token.Check(digest[:], nonce)
	}
	if err != nil {
		f.say(bad, "the timestamp does not hold: %s. Nothing can be released with such a one; ask DigiCert.", cause(err))
		return
	}
	f.say(ok, "one was made and checked, over a random number; it may count against a quota, and -no-timestamp leaves it out.")
	judged := trust.Validate(token.Certificate, trust.Options{Intermediates: token.Certificates, Roots: d.pool(), At: d.now(), Usage: trust.TimeStamp})
	switch {
	case d.pool() == nil:
		f.say(warn, "without TRUST_ROOTS nobody can say whether the clock service is trusted.")
	case judged.SubIndication != "":
		f.say(warn, "the clock service is not trusted: %s Add its root to TRUST_ROOTS, or files stay undecided.", judged.Text)
	default:
		f.say(ok, "the clock service leads to a root of TRUST_ROOTS.")
	}
	if off := token.Time.Sub(d.now()); off.Abs() > clockDifference {
		f.say(bad, "the clock service and this machine's clock are %s apart; more than %s stops signing. Let a time service set this machine's clock.", off.Abs().Round(time.Second), clockDifference)
	} else {
		agree(f, "the clock service", off)
	}
}
