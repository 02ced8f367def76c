package signing

import "countersign/pades"

// The codes. Each is the Code of an Error and may stand as a Reason in a row.
const (
	codeInternal  = "internal"
	codeNotFound  = "not_found"
	codeForbidden = "forbidden"
	codeChanged   = "changed"

	codeTooLarge       = "too_large"
	codeQuota          = "quota"
	codeNoSpace        = "no_space"
	codeTooOften       = "too_often"
	codeLengthMismatch = "length_mismatch"
	codeBrokenOff      = "broken_off"
	codeHeaderOffset   = "header_offset"
	codeUncheckable    = "uncheckable"

	codeNotReady    = "not_ready"
	codeRefusedFile = "refused"
	codeErased      = "erased"
	codeQuarantined = "quarantined"
	codeOnTheWay    = "on_the_way"
	codeBytes       = "bytes_changed"

	codeNoDocuments       = "no_documents"
	codeTooMany           = "too_many_documents"
	codeSomeRefused       = "some_refused"
	codeStillChecking     = "still_checking"
	codeRevoked           = "certificate_revoked"
	codeRevocationUnknown = "revocation_unknown"
	codeClockDown         = "clock_down"
	codeClockLater        = "clock_later"
	codeClockApart        = "clock_apart"
	codeNoRoom            = "no_room"
	codeNoCredential      = "credential_missing"
	codeCredential        = "credential_unusable"
	codeRetired           = "credential_retired"
	codeKeyDisabled       = "key_disabled"
	codeCertificate       = "certificate_invalid"
	codeCertificateTime   = "certificate_time"
	codeAlgorithm         = "algorithm"
	codeFactorUnsupported = "factor_unsupported"
	codeAttributes        = "attributes_wrong"

	codeInProgress  = "in_progress"
	codeUsed        = "already_used"
	codeCancelled   = "cancelled"
	codeExpired     = "expired"
	codeNoCode      = "no_code_needed"
	codeSendSoon    = "send_soon"
	codeSendOften   = "send_often"
	codeSendUnknown = "send_unknown"

	codeNoConsent      = "no_consent_needed"
	codeByConsent      = "by_consent"
	codeConsentOften   = "consent_often"
	codeConsentUnknown = "consent_unknown"
	codeConsentSession = "consent_session"
	codeConsentUsed    = "consent_used"
	codeConsentLate    = "consent_late"
	codeConsentRefused = "consent_refused"
	codeConsentNoSAD   = "consent_no_sad"
	codeDeclined       = "declined"
	codePhoneDeclined  = "phone_declined"

	codeNotSent      = "code_not_sent"
	codeOTPEmpty     = "otp_empty"
	codeOTPFormat    = "otp_format"
	codeOTPWrong     = "otp_wrong"
	codeOTPExpired   = "otp_expired"
	codeOTPLocked    = "otp_locked"
	codePINEmpty     = "pin_empty"
	codePINFormat    = "pin_format"
	codePINWrong     = "pin_wrong"
	codePINLocked    = "pin_locked"
	codeTooManyTries = "too_many_tries"
	codeTriesHour    = "tries_hour"
	codeTriesRow     = "tries_row"

	codeNotApproved      = "not_approved"
	codeAuthorizeUnknown = "authorize_unknown"
	codeNotConnected     = "not_connected"
	codeUnreachable      = "unreachable"
	codeRemoteBusy       = "remote_busy"
	codeRemoteRefused    = "remote_refused"

	codeSADExpired      = "sad_expired"
	codeSignRefused     = "sign_refused"
	codeSignUnreachable = "sign_unreachable"
	codeOutcomeUnknown  = "outcome_unknown"
	codeNotAsked        = "not_asked"
	codeNotExtended     = "not_extended"
	codeValueCount      = "value_count"
	codeValueWrong      = "value_wrong"
	codeOwnCheck        = "own_check"
	codeEarlierHarmed   = "earlier_harmed"
	codeFinishLate      = "finish_late"

	codeWaitClock = "wait_clock"
	codeWaitToken = "wait_token"
	codeWaitSkew  = "wait_skew"

	codeWaitBuilder = "wait_builder"

	codeExtendOpen     = "extend_open"
	codeExtendNotFresh = "extend_not_fresh"
	codeExtendNoAnswer = "extend_no_answer"
	codeExtendRevoked  = "extend_revoked"
	codeExtendRefused  = "extend_refused"
	codeExtendOwnCheck = "extend_own_check"
)

// Was anything signed, and is the code spent.
const (
	nothing        = "Nothing was signed."
	nothingUnspent = "Nothing was signed and your code is not spent."
	nothingSpent   = "Nothing was signed. The code is spent."
	notKnown       = "Whether DigiCert made a signature is not known. None was put in your document."
	madePerhaps    = "DigiCert may have made a signature. It is not in your document and nobody can get it from us."
	madeDiscarded  = "DigiCert made a signature, but it is not in your document and nobody can get it from us."
)

// Who can fix it.
const (
	youAgain     = "You can try again."
	youOther     = "You can choose another file."
	youThere     = "You can go to DigiCert’s page again."
	youNewCode   = "You can ask for a new code."
	youBegin     = "You can begin again from the document."
	adminHelps   = "Your admin can help."
	adminKnows   = "Your admin has to look at this; they can see it in the log."
	waitAndTry   = "Nobody has to do anything: try again a little later."
	itGoesOn     = "Nobody has to do anything: we ask again by ourselves."
	unlockHelped = "Your admin can have it unlocked at DigiCert."
)

// catalogue holds the texts of every code. The sentences are constant: the catalogue of
// translations is keyed by them. docs/errors.md shows it as a table.
var catalogue = map[string]Error{
	codeInternal:  {Kind: KindInternal, Sentence: "Something went wrong on our side.", Who: adminKnows},
	codeNotFound:  {Kind: KindNotFound, Sentence: "There is nothing here under this address, or it is not yours.", Who: youAgain},
	codeForbidden: {Kind: KindForbidden, Sentence: "Your role does not allow this.", Who: adminHelps},
	codeChanged:   {Kind: KindConflict, Sentence: "This was changed meanwhile, perhaps in another window.", Who: youAgain},

	codeTooLarge:       {Kind: KindInvalid, Sentence: "This file is larger than we take.", Who: youOther},
	codeQuota:          {Kind: KindLimited, Sentence: "Your space here is full.", Who: "You can erase documents you no longer need."},
	codeNoSpace:        {Kind: KindLimited, Sentence: "There is no room left to keep this file.", Who: adminHelps},
	codeTooOften:       {Kind: KindLimited, Sentence: "That was very often in a short time.", Who: waitAndTry},
	codeLengthMismatch: {Kind: KindInvalid, Sentence: "The file that came is not as long as your browser said.", Who: youAgain},
	codeBrokenOff:      {Kind: KindInvalid, Sentence: "The upload broke off before the end.", Who: youAgain},
	codeHeaderOffset:   {Kind: KindInvalid, Sentence: "There is something else in front of the PDF in this file.", Who: "Whoever made the file can save it as a plain PDF."},
	codeUncheckable:    {Kind: KindInternal, Sentence: "This file could not be checked.", Who: youOther},

	pades.RefusedEmpty:       {Kind: KindInvalid, Sentence: "This file is empty.", Who: youOther},
	pades.RefusedNotPDF:      {Kind: KindInvalid, Sentence: "This file is not a PDF.", Who: youOther},
	pades.RefusedDamaged:     {Kind: KindInvalid, Sentence: "This PDF is damaged and could not be signed safely.", Who: "Whoever made the file can save it once more."},
	pades.RefusedTruncated:   {Kind: KindInvalid, Sentence: "The end of this PDF is missing.", Who: "You can upload it once more, from where it is complete."},
	pades.RefusedPassword:    {Kind: KindInvalid, Sentence: "This PDF needs a password to open.", Who: "Whoever made the file can save it without a password."},
	pades.RefusedEncryption:  {Kind: KindInvalid, Sentence: "This PDF is encrypted in a way that leaves no room for a signature.", Who: "Whoever made the file can save it without encryption."},
	pades.RefusedCertified:   {Kind: KindInvalid, Sentence: "The author of this PDF has closed it to every change, signatures included.", Who: "Only its author can give you one that may be signed."},
	pades.RefusedNoPage:      {Kind: KindInvalid, Sentence: "This PDF has no page.", Who: youOther},
	pades.RefusedDynamicForm: {Kind: KindInvalid, Sentence: "This PDF is a form that draws itself anew in each reader, so what was signed would not be fixed.", Who: "Whoever made the file can print it to a plain PDF."},
	pades.RefusedTooComplex:  {Kind: KindInvalid, Sentence: "This PDF is built in so tangled a way that we do not open it.", Who: "Whoever made the file can save it once more."},
	pades.RefusedUnsupported: {Kind: KindInvalid, Sentence: "This PDF uses something we cannot sign yet.", Who: adminHelps},
	pades.RefusedFieldLocked: {Kind: KindInvalid, Sentence: "An earlier signature has locked this PDF.", Who: "Only whoever prepared the file can give you one that may be signed."},

	codeNotReady:    {Kind: KindConflict, Sentence: "This document is still being looked at.", Who: waitAndTry},
	codeRefusedFile: {Kind: KindConflict, Sentence: "This document was refused and its contents are gone.", Who: youOther},
	codeErased:      {Kind: KindConflict, Sentence: "This document was erased.", Who: youOther},
	codeQuarantined: {Kind: KindConflict, Sentence: "This document is kept closed, because what is stored is not what you uploaded.", Who: adminKnows},
	codeOnTheWay:    {Kind: KindConflict, Sentence: "This document is being signed right now.", Who: waitAndTry},
	codeBytes:       {Kind: KindConflict, Sentence: "The stored file is not the one you uploaded, so it was not signed.", Signed: nothing, Who: adminKnows},

	codeNoDocuments:       {Kind: KindInvalid, Sentence: "No document was chosen.", Signed: nothing, Who: youAgain},
	codeTooMany:           {Kind: KindInvalid, Sentence: "These are more documents than one approval can sign.", Signed: nothing, Who: "You can sign fewer at a time."},
	codeSomeRefused:       {Kind: KindConflict, Sentence: "Some of these documents cannot be signed now.", Signed: nothing, Who: "You can take them out of the list and sign the others."},
	codeStillChecking:     {Kind: KindLimited, Sentence: "We are still reading what you sign once more.", Signed: nothingUnspent, Who: "Nobody has to do anything: the page shows when it is done."},
	codeRevoked:           {Kind: KindConflict, Sentence: "Whoever issued the certificate of this credential has revoked it.", Signed: nothing, Who: "Your admin can issue a new credential."},
	codeRevocationUnknown: {Kind: KindRemote, Sentence: "Whether the certificate was revoked could not be checked: whoever issued it did not answer.", Signed: nothing, Who: waitAndTry},
	codeClockDown:         {Kind: KindRemote, Sentence: "The clock service does not answer, so your signature would have no time that others trust.", Signed: nothingUnspent, Who: "Nobody has to do anything: we ask it again every few seconds while this page is open."},
	codeClockLater:        {Kind: KindRemote, Sentence: "The clock service does not answer now.", Signed: nothing, Who: "You can sign all the same: the file is finished as soon as it answers again, and we mail you."},
	codeClockApart:        {Kind: KindRemote, Sentence: "The clocks of DigiCert and of this portal are far apart.", Signed: nothingUnspent, Who: adminHelps},
	codeNoRoom:            {Kind: KindInternal, Sentence: "There would be no room for the time from the clock service.", Signed: nothing, Who: adminKnows},
	codeNoCredential:      {Kind: KindInvalid, Sentence: "This credential is not there, or not yours.", Signed: nothing, Who: youAgain},
	codeCredential:        {Kind: KindConflict, Sentence: "This credential cannot sign now.", Signed: nothing, Who: adminHelps},
	codeRetired:           {Kind: KindConflict, Sentence: "A newer credential has taken the place of this one.", Signed: nothing, Who: "You can sign with the newer one."},
	codeKeyDisabled:       {Kind: KindConflict, Sentence: "DigiCert has switched off the key of this credential.", Signed: nothing, Who: adminHelps},
	codeCertificate:       {Kind: KindConflict, Sentence: "The certificate of this credential is not one that may sign.", Signed: nothing, Who: adminHelps},
	codeCertificateTime:   {Kind: KindConflict, Sentence: "The certificate of this credential is not valid now.", Signed: nothing, Who: "Your admin can issue a new credential."},
	codeAlgorithm:         {Kind: KindConflict, Sentence: "The key of this credential is too weak, or of a kind we do not sign with.", Signed: nothing, Who: "Your admin can issue a credential with a stronger key."},
	codeFactorUnsupported: {Kind: KindConflict, Sentence: "This credential is approved in a way this portal does not know yet.", Signed: nothing, Who: adminHelps},
	codeAttributes:        {Kind: KindRemote, Sentence: "DigiCert prepared a signature that does not belong to this document and this certificate.", Signed: nothing, Who: adminKnows},

	codeInProgress:  {Kind: KindConflict, Sentence: "This is being signed already.", Who: "Nobody has to do anything: the page shows how far it is."},
	codeUsed:        {Kind: KindConflict, Sentence: "This approval was used already.", Who: youBegin},
	codeCancelled:   {Kind: KindConflict, Sentence: "This signing was cancelled.", Signed: nothing, Who: youBegin},
	codeExpired:     {Kind: KindConflict, Sentence: "This signing waited too long and was closed.", Signed: nothing, Who: youBegin},
	codeNoCode:      {Kind: KindConflict, Sentence: "This credential needs no code from us.", Signed: nothing, Who: youAgain},
	codeSendSoon:    {Kind: KindLimited, Sentence: "A code was sent a moment ago.", Signed: nothing, Who: "You can ask for another one in half a minute."},
	codeSendOften:   {Kind: KindLimited, Sentence: "Many codes were sent in the last hour.", Signed: nothing, Who: waitAndTry},
	codeSendUnknown: {Kind: KindRemote, Sentence: "DigiCert did not say whether the code was sent.", Signed: nothing, Who: "When none has come in a minute, you can ask for a new one."},

	codeNoConsent:      {Kind: KindConflict, Sentence: "This credential is not approved at DigiCert’s page.", Signed: nothing, Who: youAgain},
	codeByConsent:      {Kind: KindConflict, Sentence: "This credential is approved at DigiCert’s page.", Signed: nothing, Who: youThere},
	codeConsentOften:   {Kind: KindLimited, Sentence: "You went to DigiCert’s page many times in the last hour.", Signed: nothing, Who: waitAndTry},
	codeConsentUnknown: {Kind: KindInvalid, Sentence: "This answer of DigiCert belongs to nothing that you began here, so it was not used.", Signed: nothing, Who: "If you did not come from DigiCert’s page yourself, somebody may have sent you this link: close it."},
	codeConsentSession: {Kind: KindInvalid, Sentence: "You began this in another browser, or before you signed in anew, so the answer of DigiCert was not used.", Signed: nothing, Who: youThere},
	codeConsentUsed:    {Kind: KindConflict, Sentence: "This answer of DigiCert was used already, or you have begun anew since.", Who: "The page of your signing shows how it stands."},
	codeConsentLate:    {Kind: KindInvalid, Sentence: "You came back from DigiCert too late, so the answer was not used.", Signed: nothing, Who: youThere},
	codeConsentRefused: {Kind: KindRemote, Sentence: "DigiCert did not accept the approval from its page.", Signed: nothing, Who: youThere},
	codeConsentNoSAD:   {Kind: KindRemote, Sentence: "DigiCert answered the approval with something that cannot sign.", Signed: nothing, Who: adminKnows},
	codeDeclined:       {Kind: KindConflict, Sentence: "You declined at DigiCert.", Signed: nothing, Who: "You can go there again, or stop here."},

	codePhoneDeclined: {Kind: KindConflict, Sentence: "The approval was declined on your phone.", Signed: nothing, Who: "You can ask for the approval again, or stop here."},

	codeNotSent:      {Kind: KindConflict, Sentence: "No code was sent yet.", Signed: nothing, Who: youNewCode},
	codeOTPEmpty:     {Kind: KindInvalid, Sentence: "The code is missing.", Signed: nothing, Who: "Enter the code that was sent to you."},
	codeOTPFormat:    {Kind: KindInvalid, Sentence: "This does not look like a code.", Signed: nothingUnspent, Who: "Enter the code as it was sent to you."},
	codeOTPWrong:     {Kind: KindInvalid, Sentence: "That is not the code we sent.", Signed: nothing, Who: youAgain},
	codeOTPExpired:   {Kind: KindInvalid, Sentence: "This code ran out.", Signed: nothing, Who: youNewCode},
	codeOTPLocked:    {Kind: KindLimited, Sentence: "DigiCert has locked the codes of this credential after wrong ones.", Signed: nothing, Who: unlockHelped},
	codePINEmpty:     {Kind: KindInvalid, Sentence: "The PIN is missing.", Signed: nothing, Who: "Enter the PIN of this credential."},
	codePINFormat:    {Kind: KindInvalid, Sentence: "This does not look like a PIN.", Signed: nothingUnspent, Who: "Enter the PIN of this credential."},
	codePINWrong:     {Kind: KindInvalid, Sentence: "That is not the PIN of this credential.", Signed: nothing, Who: youAgain},
	codePINLocked:    {Kind: KindLimited, Sentence: "DigiCert has locked the PIN of this credential after wrong ones.", Signed: nothing, Who: unlockHelped},
	codeTooManyTries: {Kind: KindLimited, Sentence: "Too many wrong tries.", Signed: nothing, Who: youBegin},
	codeTriesHour:    {Kind: KindLimited, Sentence: "This credential had many wrong codes in the last hour, so it rests.", Signed: nothingUnspent, Who: waitAndTry},
	codeTriesRow:     {Kind: KindLimited, Sentence: "This credential had many wrong codes in a row, so it takes none for a day.", Signed: nothingUnspent, Who: "It opens again by itself. When the codes were not yours, tell your admin, who can suspend it."},

	codeNotApproved:      {Kind: KindRemote, Sentence: "Nobody approved in time.", Signed: nothing, Who: youAgain},
	codeAuthorizeUnknown: {Kind: KindRemote, Sentence: "DigiCert did not answer clearly when we handed over the approval.", Signed: nothingSpent, Who: youNewCode},
	codeNotConnected:     {Kind: KindConflict, Sentence: "DigiCert wants to hear from you yourself that this portal may ask it in your name.", Signed: nothing, Who: "Connect your DigiCert account, then go on here."},
	codeUnreachable:      {Kind: KindRemote, Sentence: "DigiCert cannot be reached at the moment.", Signed: nothingUnspent, Who: waitAndTry},
	codeRemoteBusy:       {Kind: KindRemote, Sentence: "DigiCert is too busy at the moment.", Signed: nothing, Who: waitAndTry},
	codeRemoteRefused:    {Kind: KindRemote, Sentence: "DigiCert refused what we asked.", Signed: nothing, Who: adminKnows},

	codeSADExpired:      {Kind: KindRemote, Sentence: "The approval ran out before it could be used.", Signed: nothingSpent, Who: "You can begin again, with a new code."},
	codeSignRefused:     {Kind: KindRemote, Sentence: "DigiCert accepted the approval and then refused to sign.", Signed: nothingSpent, Who: adminKnows},
	codeSignUnreachable: {Kind: KindRemote, Sentence: "DigiCert could not be reached when it should have signed.", Signed: nothingSpent, Who: youBegin},
	codeOutcomeUnknown:  {Kind: KindRemote, Sentence: "DigiCert was asked to sign and gave no clear answer.", Signed: notKnown, Who: "You can begin again; we never ask twice by ourselves."},
	codeNotAsked:        {Kind: KindConflict, Sentence: "Signing stopped before it came to this document.", Signed: nothing, Who: youNewCode},
	codeNotExtended:     {Kind: KindRemote, Sentence: "DigiCert did not let the approval go on to these documents.", Signed: nothing, Who: youNewCode},
	codeValueCount:      {Kind: KindRemote, Sentence: "DigiCert answered with something that is not the signatures we asked for.", Signed: madePerhaps, Who: adminKnows},
	codeValueWrong:      {Kind: KindRemote, Sentence: "DigiCert answered with a signature that does not belong to this document and this certificate.", Signed: madeDiscarded, Who: adminKnows},
	codeOwnCheck:        {Kind: KindInternal, Sentence: "The signed file did not pass our own check.", Signed: madeDiscarded, Who: adminKnows},
	codeEarlierHarmed:   {Kind: KindInternal, Sentence: "The new signature would have harmed an earlier one.", Signed: madeDiscarded, Who: adminKnows},
	codeFinishLate:      {Kind: KindInternal, Sentence: "The signature could not be finished within a day.", Signed: madeDiscarded, Who: adminKnows},

	codeWaitClock:   {Kind: KindRemote, Sentence: "The clock service does not answer.", Who: itGoesOn},
	codeWaitToken:   {Kind: KindRemote, Sentence: "The clock service answers with something that cannot be used.", Who: itGoesOn},
	codeWaitSkew:    {Kind: KindRemote, Sentence: "The clock service and our own clock tell different times.", Who: "Your admin can set our clock right; then it goes on by itself."},
	codeWaitBuilder: {Kind: KindRemote, Sentence: "DigiCert has signed and does not answer when asked to finish the signature.", Who: itGoesOn},

	codeExtendOpen:     {Kind: KindConflict, Sentence: "The document is being signed once more.", Who: itGoesOn},
	codeExtendNotFresh: {Kind: KindRemote, Sentence: "The issuer has not published anything newer than the signature yet.", Who: itGoesOn},
	codeExtendNoAnswer: {Kind: KindRemote, Sentence: "The issuer’s service does not give what is needed.", Who: itGoesOn},
	codeExtendRevoked:  {Kind: KindConflict, Sentence: "The issuer says that the certificate had been revoked when it signed.", Who: adminKnows},
	codeExtendRefused:  {Kind: KindConflict, Sentence: "This file takes no such addition.", Who: adminHelps},
	codeExtendOwnCheck: {Kind: KindInternal, Sentence: "The file with the addition did not pass our own check, so it was not used.", Who: adminKnows},
}
