package templates

import (
	"context"
	"strconv"
)

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func tooLarge(ctx context.Context, u UploadForm) string {
	return T(ctx, "This file is larger than {{.Size}}, the most we take. Nothing was sent. Choose a smaller one.", "Size", Size(ctx, u.MaxBytes))
}

func uploadLabel(ctx context.Context, list bool) string {
	if list {
		return T(ctx, "Add documents")
	}
	return T(ctx, "Choose a document")
}

func dropWords(ctx context.Context, list bool) string {
	if list {
		return T(ctx, ", or drop them here")
	}
	return T(ctx, ", or drop it here")
}
