package templates

import (
	"context"
	"slices"

	"countersign/signing"
	"countersign/work"
)

// workTitle names what waits; workMeans says what that is and what helps.
func workTitle(ctx context.Context, k work.Kind) string {
	switch k {
	case work.Closed:
		return T(ctx, "Documents kept closed")
	case work.Unknown:
		return T(ctx, "Not known whether it was signed")
	case work.Discarded:
		return T(ctx, "Signed, and not given out")
	case work.Finishing:
		return T(ctx, "Signed, and not finished")
	case work.Stopped:
		return T(ctx, "Proof for later years, given up")
	case work.Extending:
		return T(ctx, "Proof for later years, long awaited")
	case work.Approval:
		return T(ctx, "Approvals whose outcome is not known")
	case work.Issuing:
		return T(ctx, "Credentials of which it is not known whether they are made")
	case work.LostMail:
		return T(ctx, "Mails given up")
	case work.Mail:
		return T(ctx, "Mails that did not go out yet")
	}
	return T(ctx, "Background work that fails")
}

func workMeans(ctx context.Context, k work.Kind) string {
	switch k {
	case work.Closed:
		return T(ctx, "What is stored is not what was recorded, so nobody can open it. Find out what touched the storage. The person can erase the document and upload it again.")
	case work.Unknown:
		return T(ctx, "DigiCert was asked to sign and gave no clear answer. Its own log says whether it did. The person can begin again; the key is never asked a second time.")
	case work.Discarded:
		return T(ctx, "DigiCert signed, but the file did not pass our check or was not finished in time. The person can begin again.")
	case work.Finishing:
		return T(ctx, "DigiCert has signed. The file is tried again by itself for a day, and nothing is asked of the key.")
	case work.Stopped:
		return T(ctx, "The signed file is with its person and stays as it is. When the cause is gone, have it tried again.")
	case work.Extending:
		return T(ctx, "The signed file is with its person. It is tried again by itself.")
	case work.Approval:
		return T(ctx, "The approval was sent once. We look at DigiCert every few seconds whether it arrived, and never send it twice by ourselves.")
	case work.Issuing:
		return T(ctx, "DigiCert was asked once. We look there every few seconds whether the credential is being made.")
	case work.LostMail:
		return T(ctx, "They were tried for more than a day. What they told stands on the pages all the same.")
	case work.Mail:
		return T(ctx, "They are tried again by themselves.")
	}
	return T(ctx, "The log says why. Most of it is tried again by itself.")
}

// workCause is why an item waits, in plain words.
func workCause(ctx context.Context, i work.Item) string {
	switch i.Kind {
	case work.LostMail, work.Mail:
		return T(ctx, "The mail server did not take it; the log says why.")
	case work.FailingJob:
		return T(ctx, "It failed; the log says why.")
	case work.Approval, work.Issuing:
		return T(ctx, "DigiCert’s answer was lost.")
	}
	if slices.Contains(signing.Codes(), i.Code) {
		return T(ctx, signing.Explain(i.Code).Sentence)
	}
	return T(ctx, "It has not been tried yet.")
}

// workName is whose it is, or what kind of mail or job.
func workName(ctx context.Context, r WorkRow) string {
	switch {
	case r.Name != "":
		return r.Name
	case r.Item.Owner == "" && r.Item.Code != "":
		return r.Item.Code
	}
	return orUnknown(ctx, r.Name)
}

func workTotal(v Work) (n int) {
	for _, g := range v.Groups {
		n += len(g.Rows)
	}
	return n
}

func workTitleOf(ctx context.Context, v Work) string {
	if n := workTotal(v); n > 0 {
		return N(ctx, "One thing waits too long", "{{.Count}} things wait too long", n)
	}
	return T(ctx, "Nothing waits too long")
}
