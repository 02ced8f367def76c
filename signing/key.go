package signing

import (
	"context"
	"errors"
	"fmt"

	"countersign/dtmclient"
	"countersign/people"
)

// key is what a credential signs with.
type key struct {
	algorithm
	name   string
	info   dtmclient.CredentialInfo
	factor Factor
}

// key asks for the state of the credential now and holds it against the policy.
func (s *Service) key(ctx context.Context, a people.Actor, credential string, n int) (k key, failed string, err error) {
	// First through the person: an id of somebody else's ends here.
	own, err := s.Credentials.Credential(ctx, a.Person, credential)
	if err != nil {
		if errors.Is(err, ErrNotFound) {
			return k, "credential", fail(codeNoCredential, err)
		}
		return k, "credential", internal(err)
	}
	if own.Retired {
		return k, "credential", fail(codeRetired, nil)
	}
	if err = s.connected(ctx, a.Person); err != nil {
		return k, "credential", err
	}
	if k.name, err = s.usable(ctx, a.Person, credential); err != nil {
		return k, "credential", err
	}
	if k.info, err = s.as(a.Person).CredentialInfo(ctx, k.name); err != nil {
		return k, "key", ofRemote(err)
	}
	if k.info.KeyStatus != "enabled" {
		return k, "key", fail(codeKeyDisabled, fmt.Errorf("key status %q", k.info.KeyStatus))
	}
	if k.algorithm, err = choose(k.info); err != nil {
		return k, "key", err
	}
	if st := k.info.CertStatus; st != "" && st != "valid" {
		return k, "certificate", fail(codeCertificateTime, fmt.Errorf("certificate status %q", st))
	}
	if err = checkCertificate(k.info.Certificates, s.Roots, s.Now()); err != nil {
		return k, "certificate", err
	}
	if n > max(k.info.Multisign, 1) {
		return k, "key", s.tooMany(k.info.Multisign)
	}
	k.factor, err = factorOf(k.info, s.OAuth.ID != "")
	return k, "key", err
}

// usable looks the credential up at its service and answers its name there.
func (s *Service) usable(ctx context.Context, owner people.ID, credential string) (name string, err error) {
	fresh, err := s.Credentials.Fresh(ctx, credential)
	switch {
	case errors.Is(err, ErrNotFound):
		return "", fail(codeNoCredential, err)
	case err != nil:
		return "", ofRemote(err)
	case fresh.Person != owner:
		return "", fail(codeNoCredential, errors.New("the credential is bound to somebody else now"))
	case !fresh.Usable:
		f := fail(codeCredential, nil)
		f.Args = map[string]any{"Reason": fresh.Reason}
		return "", f
	}
	return fresh.Name, nil
}

// factorOf reads how a credential is approved. A factor that may be left out is asked for
// when no other is demanded: a signature without any is not the person's.
func factorOf(info dtmclient.CredentialInfo, oauth bool) (Factor, error) {
	f := Factor{Mode: info.AuthMode, PIN: string(info.PIN.Presence), PINLabel: info.PIN.Label, PINDigits: info.PIN.Format == "N",
		OTP: string(info.OTP.Presence), OTPType: info.OTP.Type, OTPLabel: info.OTP.Label, OTPDigits: info.OTP.Format == "N",
		Bound: info.SCAL == "2"}
	switch {
	case f.Push(), f.Consent() && oauth, f.NeedsOTP(), f.NeedsPIN():
		return f, nil
	case f.Mode == "explicit" && f.OTP == "optional":
		f.OTP = "true"
		return f, nil
	case f.Mode == "explicit" && f.PIN == "optional":
		f.PIN = "true"
		return f, nil
	}
	return f, fail(codeFactorUnsupported, fmt.Errorf("mode %q, PIN %q, OTP %q", f.Mode, f.PIN, f.OTP))
}
