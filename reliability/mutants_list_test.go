package reliability

import "strings"

// mutant is a guard of one of the services and the test that must fail without it. The
// guard is a place of the source as it stands there, exactly once: when the code moves, the
// test says so.
type mutant struct {
	name, file, guard string
	to                string // empty: its condition never holds
	test              string // package.Test
}

func (m mutant) without() string {
	if m.to != "" {
		return m.to
	}
	word, tail := "if ", " {"
	if !strings.Contains(m.guard, word) {
		word, tail = "case ", ":"
	}
	head, rest, _ := strings.Cut(m.guard, word)
	condition, after, _ := strings.Cut(rest, tail)
	first := ""
	if i := strings.LastIndex(condition, "; "); i >= 0 {
		first, condition = condition[:i+2], condition[i+2:]
	}
	return head + word + first + "(" + condition + `) && !weakened("` + m.name + `")` + tail + after
}

// mutants are the guards of pre-flight, of many documents, of what is given out, of approvals
// and seats, and of the audit log.
var mutants = []mutant{
	// Pre-flight: before a code is spent.
	{"room for the time", "signing/checking.go", `	case err == nil && size > c.Room:`, "", "signing.TestWhatCouldNotSucceedSpendsNoCode"},
	{"the far side's clock", "signing/checking.go", `	case err == nil && s.farSkew() > clockDifference:`, "", "signing.TestWhatCouldNotSucceedSpendsNoCode"},
	{"the clock service's time", "signing/checking.go", `	case errors.As(err, &waits) && waits.code == codeWaitSkew:`, "", "signing.TestWhatCouldNotSucceedSpendsNoCode"},
	{"a clock service that is away", "signing/checking.go", `	case s.WithoutClock:`, `	case s.WithoutClock || weakened("a clock service that is away"):`, "signing.TestWhatCouldNotSucceedSpendsNoCode"},
	{"an old answer of the clock service", "signing/checking.go", `			found.Name == "clock" && found.State == CheckOK && s.now().Sub(found.At) >= clockFresh:`, `			found.Name == "clock" && found.State == CheckOK && s.now().Sub(found.At) >= clockFresh && !weakened("an old answer of the clock service"):`, "signing.TestAnOldAnswerOfTheClockServiceIsNotReliedOn"},
	{"a failure of the clock is asked again", "signing/checking.go", `			found.Name == "clock" && found.State == CheckFailed && s.now().Sub(found.At) >= lookAgainIn,`, `			found.Name == "clock" && found.State == CheckFailed && s.now().Sub(found.At) >= lookAgainIn && !weakened("a failure of the clock is asked again"),`, "signing.TestAClockServiceThatComesBackIsNoticed"},
	{"revoked", "signing/checking.go", `	case errors.As(err, &withdrawn):`, "", "signing.TestWhatCouldNotSucceedSpendsNoCode"},
	{"revocation that is not known", "signing/checking.go", `		return c.Name == "revocation" && s.NeedRevocation`, `		return c.Name == "revocation" && s.NeedRevocation && !weakened("revocation that is not known")`, "signing.TestWhatCouldNotSucceedSpendsNoCode"},
	{"a check that failed is in the way", "signing/checking.go", `	case CheckFailed:
		return true`, `	case CheckFailed:
		return !weakened("a check that failed is in the way")`, "signing.TestWhatCouldNotSucceedSpendsNoCode"},
	{"checks come before a PIN", "signing/authorize.go", `	if !c.Factor.Sent() { // else it was done before the code was sent`, `	if !c.Factor.Sent() && !weakened("checks come before a PIN") {`, "signing.TestWhatCouldNotSucceedSpendsNoCode"},
	{"checks come before a code", "signing/code.go", `	if err := s.settle(ctx, c, signatures); err != nil {`, "", "signing.TestWhatCouldNotSucceedSpendsNoCode"},
	{"the fingerprint in the row", "signing/preflight.go", `	if !bytes.Equal(d.SHA256, revisions[0].SHA256) {`, "", "signing.TestAlteredDocumentIsNotSigned"},
	{"the size", "signing/preflight.go", `	if f.Size() != d.Size {`, "", "signing.TestRowsThatDoNotFitTheFileAreNotSigned"},
	{"the fingerprint of each revision", "signing/preflight.go", `		if !bytes.Equal(h.Sum(nil), r.SHA256) {`, "", "signing.TestRowsThatDoNotFitTheFileAreNotSigned"},
	{"bytes touched since they were read", "signing/preflight.go", `	if stamp = f.Stamp(); stamp != "" && stamp == known {`, `	if stamp = f.Stamp(); stamp != "" && (stamp == known || known != "" && weakened("bytes touched since they were read")) {`, "signing.TestAlteredDocumentIsNotSigned"},
	{"bytes are read before the key is asked", "signing/authorize.go", `	if _, err := at.s.checkBytes(ctx, d, revisions, stamp); err != nil {`, "", "signing.TestAlteredDocumentIsNotSigned"},
	{"the state of the hash", "signing/preflight.go", `	if !bytes.Equal(h.Sum(nil), last.SHA256) {`, "", "signing.TestRowsThatDoNotFitTheFileAreNotSigned"},
	{"the preparation's digest", "signing/authorize.go", `	if p.Unsigned == nil || !bytes.Equal(p.Digest(), g.Digest) {`, "", "signing.TestAlteredDocumentIsNotSigned"},
	{"the revision that was prepared", "signing/authorize.go", `	if d.Revisions != g.Base || g.State != SignaturePrepared {`, "", "signing.TestRowsThatDoNotFitTheFileAreNotSigned"},
	{"the key is switched on", "signing/key.go", `	if k.info.KeyStatus != "enabled" {`, "", "signing.TestWhatMustNotSignIsRefusedAtTheStart"},
	{"the certificate's state", "signing/key.go", `	if st := k.info.CertStatus; st != "" && st != "valid" {`, "", "signing.TestWhatMustNotSignIsRefusedAtTheStart"},
	{"the length of the key", "signing/algorithm.go", `		if key.N.BitLen() < 2048 {`, "", "signing.TestWhatMustNotSignIsRefusedAtTheStart"},
	{"the curve", "signing/algorithm.go", `		if !slices.Contains([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, key.Curve) {`, "", "signing.TestWhatMustNotSignIsRefusedAtTheStart"},
	{"the certificate's time", "signing/algorithm.go", `	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {`, "", "signing.TestWhatMustNotSignIsRefusedAtTheStart"},
	{"an authority does not sign", "signing/algorithm.go", `	if leaf.IsCA {`, "", "signing.TestWhatMustNotSignIsRefusedAtTheStart"},
	{"what the key is for", "signing/algorithm.go", `	if leaf.KeyUsage != 0 && leaf.KeyUsage&signs == 0 {`, "", "signing.TestWhatMustNotSignIsRefusedAtTheStart"},
	{"the chain fits", "signing/algorithm.go", `		if err := chain[i].CheckSignatureFrom(c); err != nil {`, "", "signing.TestWhatMustNotSignIsRefusedAtTheStart"},
	{"a known issuer", "signing/algorithm.go", `x509.ExtKeyUsageAny}})
	if err != nil {`, `x509.ExtKeyUsageAny}})
	if err != nil && !weakened("a known issuer") {`, "signing.TestWhatMustNotSignIsRefusedAtTheStart"},
	{"the credential is active", "signing/key.go", `	case !fresh.Usable:`, "", "signing.TestACredentialThatIsAnotherNowDoesNotSign"},
	{"the credential is still theirs", "signing/key.go", `	case fresh.Person != owner:`, "", "signing.TestACredentialThatIsAnotherNowDoesNotSign"},
	{"a retired credential begins nothing", "signing/key.go", `	if own.Retired {`, "", "signing.TestACredentialThatIsAnotherNowDoesNotSign"},
	{"a factor", "signing/key.go", `	return f, fail(codeFactorUnsupported, fmt.Errorf("mode %q, PIN %q, OTP %q", f.Mode, f.PIN, f.OTP))`, `	if weakened("a factor") {
		return f, nil
	}
	return f, fail(codeFactorUnsupported, fmt.Errorf("mode %q, PIN %q, OTP %q", f.Mode, f.PIN, f.OTP))`, "signing.TestWhatMustNotSignIsRefusedAtTheStart"},
	// Many documents under one approval.
	{"no more than the key allows", "signing/key.go", `	if n > max(k.info.Multisign, 1) {`, "", "signing.TestNoMoreDocumentsThanOneApprovalMaySign"},
	{"no more than one approval takes", "signing/begin.go", `	case len(docs) > s.MaxTogether:`, "", "signing.TestADocumentIsNamedOnceAndNotTooManyAre"},
	{"a document named twice", "signing/begin.go", `		if slices.Contains(docs[:i], d) {`, "", "signing.TestADocumentIsNamedOnceAndNotTooManyAre"},
	{"documents are counted each", "signing/begin.go", `	for range b.signatures {`, `	for range b.signatures[:len(b.signatures)*map[bool]int{false: 1}[weakened("documents are counted each")]] {`, "signing.TestDocumentsAreCountedHoweverManyCeremoniesTheyAreIn"},
	{"all hashes are bound", "signing/authorize.go", `	for _, g := range at.signatures {
		hashes = append(hashes, g.Digest)
	}`, `	for i, g := range at.signatures {
		if i > 0 && weakened("all hashes are bound") {
			break
		}
		hashes = append(hashes, g.Digest)
	}`, "signing.TestManyDocumentsAreSignedPartByPartUnderOneApproval"},
	{"each part is written down", "signing/sign.go", `		if err := at.intend(ctx, part, i == 0); err != nil {`, "", "signing.TestAPartThatCannotBeWrittenDownIsNotAsked"},
	{"an approval for each part", "signing/sign.go", `	if again {`, "", "signing.TestManyDocumentsAreSignedPartByPartUnderOneApproval"},
	{"an approval that ran out", "signing/sign.go", `	case !s.Now().Before(at.dead):`, "", "signing.TestExpiredApprovalIsNotUsedAndNotRepeated"},
	{"the credential is looked at for each part", "signing/sign.go", `	case err != nil:
		return answer{err: err, over: true}`, `	case err != nil && !weakened("the credential is looked at for each part"):
		return answer{err: err, over: true}`, "signing.TestACredentialThatIsAnotherNowDoesNotSign"},
	{"the credential's name", "signing/sign.go", `	case name != at.c.CredentialName:`, "", "signing.TestACredentialThatIsAnotherNowDoesNotSign"},
	{"a failure stops", "signing/sign.go", `	if told.over || wrong != nil && !at.c.GoOn {`, `	if told.over || wrong != nil && !at.c.GoOn && !weakened("a failure stops") {`, "signing.TestAFailureInOnePartStopsOrGoesOnAsChosen"},
	{"a dead approval ends it", "signing/sign.go", `	return answer{err: fail(code, err), unknown: unknown, over: code == codeSADExpired ||`, `	return answer{err: fail(code, err), unknown: unknown, over: code == codeSADExpired && !weakened("a dead approval ends it") ||`, "signing.TestAFailureInOnePartStopsOrGoesOnAsChosen"},
	{"as many values as hashes", "signing/sign.go", `		if len(told.values) == len(part) {`, `		if len(told.values) == len(part) || len(told.values) > n && weakened("as many values as hashes") {`, "signing.TestAsManyValuesAsHashesAreTaken"},
	{"an altered one is left out", "signing/sign.go", `		if at.bad[i] != nil {
			continue
		}
		if part`, `		if at.bad[i] != nil && !weakened("an altered one is left out") {
			continue
		}
		if part`, "signing.TestAnAlteredDocumentAmongManyStopsOrIsLeftOut"},
	{"an altered one stops", "signing/authorize.go", `		if bad != nil && (!at.c.GoOn || len(at.parts()) == 0) {`, `		if bad != nil && (!at.c.GoOn && !weakened("an altered one stops") || len(at.parts()) == 0) {`, "signing.TestAnAlteredDocumentAmongManyStopsOrIsLeftOut"},
	{"what was taken out is not signed", "signing/authorize.go", `		if g.State == SignaturePrepared {
			some`, `		if g.State == SignaturePrepared || weakened("what was taken out is not signed") {
			some`, "signing.TestOneOfManyIsTakenOutBeforeTheApproval"},
	{"a value is held against the certificate", "signing/sign.go", `			if err == nil {
				g.Value`, `			if err == nil || weakened("a value is held against the certificate") {
				g.Value`, "signing.TestValuesAreHeldAgainstTheCertificateBeforeTheyAreStored"},
	// An approval at the provider's page.
	{"the session that asked", "signing/consent.go", `	if subtle.ConstantTimeCompare(v.Session, sum(session)) != 1 {`, "", "signing.TestAnAnswerOfTheProviderIsTakenOnceWhereItBelongs"},
	{"an answer that was taken", "signing/consent.go", `	if !v.UsedAt.IsZero() {`, "", "signing.TestAnAnswerOfTheProviderIsGoodOnce"},
	{"a ceremony that waits for the answer", "signing/consent.go", `	case c.State != CeremonyConsenting:`, "", "signing.TestADocumentTakenOutVoidsTheVisit"},
	{"an answer that comes late", "signing/consent.go", `	case !s.now().Before(v.Ends):`, "", "signing.TestAnAnswerOfTheProviderIsTakenOnceWhereItBelongs"},
	{"the provider that was asked", "signing/consent.go", `	if !same {`, "", "signing.TestACodeGoesOnlyToTheProviderThatWasAsked"},
	{"the provider of the answer", "signing/consent.go", `	return err == nil && ferr == nil && from.Scheme == page.Scheme && from.Host == page.Host, nil`, `	return weakened("the provider of the answer") || err == nil && ferr == nil && from.Scheme == page.Scheme && from.Host == page.Host, nil`, "signing.TestAnAnswerOfTheProviderIsTakenOnceWhereItBelongs"},
	{"the address that was asked", "signing/consent.go", `	if err != nil || now != asked {`, `	if err != nil || now != asked && !weakened("the address that was asked") {`, "signing.TestACodeGoesOnlyToTheProviderThatWasAsked"},
	{"checks come before a visit", "signing/consent.go", `	if err := s.settle(ctx, c, signatures); err != nil {`, "", "signing.TestNobodyIsSentToTheProviderForWhatCannotSucceed"},
	{"an answer is code or error", "signing/consent.go", `(in.Code == "") == (in.Error == "") {`, `((in.Code == "") == (in.Error == "") && !weakened("an answer is code or error")) {`, "signing.TestAnAnswerOfTheProviderIsTakenOnceWhereItBelongs"},
	// What is given out, and what is added to it later.
	{"the file's fingerprint", "signing/release.go", `	case !bytes.Equal(result.SHA256, last.SHA256):`, "", "signing.TestOnlyWhatWasApprovedIsReleased"},
	{"the credential's certificate", "signing/release.go", `		case r.Certificate == nil || len(p.Unsigned.Chain) == 0 || !bytes.Equal(r.Certificate.Raw, p.Unsigned.Chain[0]):`, "", "signing.TestOnlyWhatWasApprovedIsReleased"},
	{"nothing after the signature", "signing/release.go", `		case !r.CoversAll:`, "", "signing.TestOnlyWhatWasApprovedIsReleased"},
	{"the level that is promised", "signing/release.go", `		case !reaches(r.Level, promised):`, "", "signing.TestOnlyWhatWasApprovedIsReleased"},
	{"a time from before", "signing/release.go", `	case at.Before(g.IntendedAt.Add(-clockDifference)):`, "", "signing.TestOnlyWhatWasApprovedIsReleased"},
	{"a time from after", "signing/release.go", `	case at.After(g.AssembledAt.Add(clockDifference)):`, "", "signing.TestOnlyWhatWasApprovedIsReleased"},
	{"the time that pages show", "signing/release.go", `	case at.Sub(g.StampedAt).Abs() >= time.Second:`, "", "signing.TestOnlyWhatWasApprovedIsReleased"},
	{"the verdict", "signing/release.go", `		if r.Indication == pades.TotalPassed || s.Roots == nil && onlyTrust(r) {`, `		if r.Indication == pades.TotalPassed || s.Roots == nil && onlyTrust(r) || weakened("the verdict") {`, "signing.TestAFileWhoseIssuerNobodyKnowsIsNotReleased"},
	{"an open preparation", "signing/extend.go", `		case g.State.Open():`, "", "signing.TestAnExtensionAndAPreparationExcludeEachOther"},
	{"the longer file is proved", "signing/extend.go", `	after, err := x.prove(ctx, append(slices.Clone(x.revisions), r), level, field)
	if err != nil {`, `	after, err := x.prove(ctx, append(slices.Clone(x.revisions), r), level, field)
	if err != nil && !weakened("the longer file is proved") {`, "signing.TestAnExtensionWaitsForWhatIsAway"},
	{"a changed file is closed", "signing/extend.go", `	if errors.Is(err, ErrCorrupt) {`, "", "signing.TestAChangedFileIsNotExtended"},
	{"a revoked signer ends it", "signing/extend.go", `	case errors.As(err, &revoked):`, "", "signing.TestARevokedSignerEndsTheTries"},
	{"a timestamp is renewed in time", "signing/extend.go", `(x.e.Level != "B-LTA" || renewal(result).After(x.s.now()))`, `(x.e.Level != "B-LTA" || renewal(result).After(x.s.now()) || weakened("a timestamp is renewed in time"))`, "signing.TestATimestampIsRenewedInTime"},
	// Approvals, seats and credentials.
	{"a free seat", "identity/review.go", `	if err == nil && seats.Total >= 0 && seats.Available <= 0 {`, "", "identity.TestWithoutAFreeSeatNothingIsApproved"},
	{"nobody about themselves", "identity/review.go", `	if v.Person == a.Person {`, "", "identity.TestNobodyDecidesAboutThemselves"},
	{"the first is not the second", "identity/review.go", `	if v.FirstBy == a.Person {
		return v, s.refuse(ctx, a, codeFirst, ofValidation(v, "validation.approve"))`, `	if v.FirstBy == a.Person && !weakened("the first is not the second") {
		return v, s.refuse(ctx, a, codeFirst, ofValidation(v, "validation.approve"))`, "identity.TestTwoAdminsApproveAndNeverOneTwice"},
	{"the second waits for the first", "identity/review.go", `	if v.State == ValidationAwaitingApproval && s.o.Approvals > 1 {`, "", "identity.TestTwoAdminsApproveAndNeverOneTwice"},
	{"who approved does not refuse", "identity/review.go", `	if v.FirstBy == a.Person { // withdraw first: nobody is both for and against`, `	if v.FirstBy == a.Person && !weakened("who approved does not refuse") {`, "identity.TestTheSecondApproverIsNotTheApplicantAndMayRefuse"},
	{"the rule of now", "identity/review.go", `	} else if s.o.Approvals > 1 {`, "", "identity.TestAnApprovalIsSentOnlyUnderTheRuleAndByTheAdminsOfNow"},
	{"the approver is an admin still", "identity/review.go", `	if err != nil || !approver.Has(people.Admin) {`, "", "identity.TestAnApproverWhoMayNoMoreDoesNotCount"},
	{"the first approver is an admin still", "identity/review.go", `		if err != nil || !first.Has(people.Admin) {`, "", "identity.TestAnApprovalIsSentOnlyUnderTheRuleAndByTheAdminsOfNow"},
	{"an approval is held", "identity/review.go", `	if v.State != ValidationApprovalHeld || s.now().Before(v.HeldUntil) {`, `	if v.State != ValidationApprovalHeld || s.now().Before(v.HeldUntil) && !weakened("an approval is held") {`, "identity.TestAHeldApprovalCanBeUndoneAndIsThenSentOnce"},
	{"an approval whose answer is lost", "identity/review.go", `		if mayBe {
			return v, explained
		}
		v, recorded`, `		if mayBe && !weakened("an approval whose answer is lost") {
			return v, explained
		}
		v, recorded`, "identity.TestAnAmbiguousApprovalIsSettledByLookingAndNeverSentAgain"},
	{"an approval on its way", "identity/observe.go", `		case v.State == ValidationApprovalUnknown && now.Before(v.Since.Add(inFlight)):`, "", "identity.TestAnAmbiguousApprovalIsSettledByLookingAndNeverSentAgain"},
	{"a held approval is ours", "identity/observe.go", `		case v.State == ValidationApprovalHeld, v.State == ValidationAwaitingSecond:`, `		case (v.State == ValidationApprovalHeld || v.State == ValidationAwaitingSecond) && !weakened("a held approval is ours"):`, "identity.TestTwoAdminsApproveAndNeverOneTwice"},
	{"a credential only after an approval", "identity/issue.go", `	if v.State != ValidationApproved {`, "", "identity.TestACredentialIsNotIssuedBeforeTheApproval"},
	{"no credential for oneself", "identity/issue.go", `	if v.Person == a.Person {`, "", "identity.TestNobodyDecidesAboutThemselves"},
	{"one credential at a time", "identity/issue.go", `			return c, false, fail(codeHasCredential, nil)`, `			if !weakened("one credential at a time") {
				return c, false, fail(codeHasCredential, nil)
			}`, "identity.TestOneWishForACredentialMakesOneCredential"},
	{"the same wish is one credential", "identity/issue.go", `		case c.Profile == profile && (c.State == CredentialPending || c.State == CredentialIssuanceUnknown):`, "", "identity.TestOneWishForACredentialMakesOneCredential"},
	{"a credential that is being asked for", "identity/observecredential.go", `	if isRemote(err, dtmclient.NotFound) && c.State == CredentialIssuanceUnknown && s.now().After(c.Since.Add(inFlight)) {`, `	if isRemote(err, dtmclient.NotFound) && c.State == CredentialIssuanceUnknown && (s.now().After(c.Since.Add(inFlight)) || weakened("a credential that is being asked for")) {`, "identity.TestALostAnswerOfAnIssueIsFoundByTheNameWeChose"},
	{"a check that is being asked for", "identity/start.go", `	if now.Before(v.HeldUntil) {`, "", "identity.TestAStartThatMayBeOnItsWayIsNotAskedForAgain"},
	{"a check is looked for first", "identity/start.go", `	if found.ID != "" {`, "", "identity.TestDyingAroundAnyCallIsSettledByLooking"},
	{"a renewal needs a check that counts", "identity/renew.go", `	if err == nil && seen.State != ValidationApproved {`, "", "identity.TestARenewalNeedsAnIdentityCheckThatStillCountsAndAnotherAdmin"},
	{"no renewal for oneself", "identity/renew.go", `	if old.Person == a.Person {`, "", "identity.TestARenewalNeedsAnIdentityCheckThatStillCountsAndAnotherAdmin"},
	{"the credential is bound to the person at DTM", "identity/manage.go", `		if d.Name != c.Name || p.DTMUser == "" || d.UserID != "" && d.UserID != p.DTMUser {`, "", "identity.TestACredentialOfAnotherDTMUserIsRefused"},
	{"an admin's suspension", "identity/manage.go", `	if c.State == CredentialSuspended && c.Reason != codeOwner && !people.May(a, people.ManageCredentials) {`, "", "identity.TestSuspendingResumingAndRevoking"},
	// Signatures that DTM puts together.
	{"attributes of others are checked", "signing/outside.go", `	if err := adoptFirst(p, got, b.key.hash); err != nil {`, "", "signing.TestAttributesThatAreNotOursAreNotApproved"},
	{"the hash of others is that of the attributes", "signing/outside.go", `	if string(sum.Sum(nil)) != string(given.Hash) {`, "", "signing.TestAttributesThatAreNotOursAreNotApproved"},
	{"what others built is rehearsed", "signing/outside.go", `		err = s.rehearse(ctx, g, d, base, p, delta, at)`, `		if err = s.rehearse(ctx, g, d, base, p, delta, at); weakened("what others built is rehearsed") {
			err = nil
		}`, "signing.TestATimestampThatReadersWillNotTakeIsNotPutIn"},
	{"the clock service of others is known", "signing/outside.go", `	if err := s.trustsClock(stamp); err != nil {`, "", "signing.TestATimestampThatReadersWillNotTakeIsNotPutIn"},
	{"others are asked once", "signing/outside.go", `		(g.Attempts == 0 || g.Waits == codeWaitBuilder)`, `		(g.Attempts == 0 || g.Waits == codeWaitBuilder || weakened("others are asked once"))`, "signing.TestALostStructureIsNotAskedForAgain"},
	{"what others prepared runs out", "signing/outside.go", `s.now().Before(p.Outside.Until.Add(-hashesSpare)) &&`, `(s.now().Before(p.Outside.Until.Add(-hashesSpare)) || weakened("what others prepared runs out")) &&`, "signing.TestAStructureIsWaitedFor"},
	{"only what did not happen is waited for", "signing/outside.go", `	if !errors.As(err, &e) || e.MayHaveHappened() {`, `	if !errors.As(err, &e) || e.MayHaveHappened() && !weakened("only what did not happen is waited for") {`, "signing.TestAStructureThatIsNotRightIsNotUsed"},
	{"attributes of these bytes", "pades/cms/outside.go", `	if !bytes.Equal(claimed, messageDigest) {`, "", "pades/cms.TestOnlyTheRightAttributesOfOthersAreTaken"},
	{"attributes of this certificate", "pades/cms/outside.go", `	if err := strictESS(ess, chain); err != nil {`, "", "pades/cms.TestOnlyTheRightAttributesOfOthersAreTaken"},
	{"attributes in DER", "pades/cms/outside.go", `	if !bytes.Equal(set(cbasn1.SET, elements), der) {`, "", "pades/cms.TestOnlyTheRightAttributesOfOthersAreTaken"},
	{"no attribute that was not asked for", "pades/cms/outside.go", `		default:
			return nil, fail(Malformed, "the signed attributes say more`, `		case weakened("no attribute that was not asked for"):
		default:
			return nil, fail(Malformed, "the signed attributes say more`, "pades/cms.TestOnlyTheRightAttributesOfOthersAreTaken"},
	{"the value that the key gave", "pades/cms/outside.go", `	case !bytes.Equal(s.Value, value):`, "", "pades/cms.TestOnlyTheRightSignatureOfOthersIsTaken"},
	{"nothing that a careful writer leaves out", "pades/cms/outside.go", `	if odd := sd.Oddities(true); len(odd) > 0 {`, "", "pades/cms.TestOnlyTheRightSignatureOfOthersIsTaken"},
	// The audit log.
	{"the tree grows from where it ends", "db/audittree.go", `	if sizes[0] != from {`, `	if weakened("the tree grows from where it ends") {
		_, err := tx.ExecContext(ctx, tx.Rebind("UPDATE audit_head SET size = ?, root = ?, at = ?, note = ? WHERE one = 1"), cp.Size, cp.Root, ms(cp.At), cp.Note)
		return err
	}
	if sizes[0] != from {`, "audit.TestTwoProcessesDoNotNumberTwice"},
	{"the tree made anew", "audit/check.go", `			if len(stored) == 0 || !bytes.Equal(h[:], stored[0]) {`, `			if len(stored) == 0 || !bytes.Equal(h[:], stored[0]) && !weakened("the tree made anew") {`, "audit.TestACheckNamesWhatWasDoneToTheLog"},
	{"the root of a checkpoint", "audit/check.go", `	if root := c.rebuilt.root(); !bytes.Equal(root[:], cp.Root) {`, "", "audit.TestACheckNamesWhatWasDoneToTheLog"},
	{"the stamp of a checkpoint", "audit/check.go", `	if s, ok := stamps[cp.Size]; ok && c.tree.CheckStamp(cp.Note, s.Token) != nil {`, "", "audit.TestACheckNamesWhatWasDoneToTheLog"},
	{"the signature of a checkpoint", "audit/check.go", `	if err != nil || said.Size != cp.Size || !bytes.Equal(said.Root, cp.Root) {`, "", "audit.TestACheckNamesWhatWasDoneToTheLog"},
	{"the newest checkpoint", "audit/check.go", `	if root := c.rebuilt.root(); head.Size > 0 && (c.rebuilt.n != head.Size || !bytes.Equal(root[:], head.Root)) {`, "", "audit.TestACheckNamesWhatWasDoneToTheLog"},
	{"checkpoints behind the newest", "audit/check.go", `	if n := len(kept); n > 0 && kept[n-1].Size > now.Size {`, "", "audit.TestACheckNamesWhatWasDoneToTheLog"},
	{"entries behind the newest checkpoint", "audit/check.go", `	if n := len(entries); n > 0 && entries[n-1].Number >= now.Size {`, "", "audit.TestACheckNamesWhatWasDoneToTheLog"},
	{"the database's guards", "audit/check.go", `	if len(missing) > 0 {`, "", "audit.TestACheckSeesThatAGuardIsGone"},
	{"a proof of an entry", "audit/proof.go", `	if err := tlog.CheckRecord(path, p.Checkpoint.Size, root, p.Number, tlog.RecordHash(l)); err != nil {`, "", "audit.TestEveryEntryHasAProofAndNoOtherEntryFitsIt"},
	{"a proof of growth", "audit/proof.go", `	if err := tlog.CheckTree(hashes, newer.Size, to, older.Size, from); err != nil {`, "", "audit.TestTreeOnlyGrows"},
	{"a receipt's entries", "audit/receipt.go", `		if err := tlog.CheckRecord(path, h.Size, root, e.Number, tlog.RecordHash([]byte(e.Leaf))); err != nil {`, "", "audit.TestAReceiptProvesItsEntriesAndNoOthers"},
	{"an export goes on where it was", "audit/export.go", `			if *l.First != r.n {`, "", "audit.TestAnExportProvesTheWholeLogAndIsGoneOnWith"},
	{"an export's numbers", "audit/export.go", `			if *l.Number != r.n {`, "", "audit.TestAnExportProvesTheWholeLogAndIsGoneOnWith"},
	{"an export's checkpoints", "audit/export.go", `	if root := r.root(); said.Size != r.n || !bytes.Equal(said.Root, root[:]) {`, "", "audit.TestAnExportProvesTheWholeLogAndIsGoneOnWith"},
	{"one signature is one text", "audit/checkpoint.go", `	if _, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64); err != nil {`, "", "audit.TestAForgedCheckpointIsNotOpened"},
	{"a checkpoint's origin", "audit/checkpoint.go", `	if name, _, _ := strings.Cut(out.Key, "+"); name != out.Origin {`, "", "audit.TestAForgedCheckpointIsNotOpened"},
	{"a checkpoint's size", "audit/checkpoint.go", `	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {`, `	if err != nil || (size < 0 || strconv.FormatInt(size, 10) != lines[1]) && !weakened("a checkpoint's size") {`, "audit.TestAForgedCheckpointIsNotOpened"},
	{"floods are thinned", "db/audit.go", `		if write, err := d.thin(ctx, tx, &e); err != nil || !write {`, `		if write, err := d.thin(ctx, tx, &e); err != nil || !write && !weakened("floods are thinned") {`, "db.TestAFloodOfRefusalsIsAFewRowsAndItsCountIsKept"},
}
