package cdn

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/smithy-go"
)

// CloudFront is a distribution that can be told to forget pictures: the one
// thing that a takedown needs beyond the bucket, and the one that costs money
// after a thousand paths a month.
type CloudFront struct {
	DistributionID string
	// AccessKeyID and SecretAccessKey belong together; empty for the SDK's own
	// chain of profiles and roles.
	AccessKeyID, SecretAccessKey, SessionToken string
	Endpoint                                   string // for tests; empty: AWS
}

// Invalidate has the distribution forget paths, each with a leading slash and
// perhaps an asterisk at its end, and returns the invalidation's id. The same
// reference and paths again are the same invalidation.
func (c CloudFront) Invalidate(ctx context.Context, reference string, paths []string) (id string, err error) {
	opts := []func(*config.LoadOptions) error{config.WithRegion("us-east-1")} // CloudFront is in no region
	if c.AccessKeyID != "" {
		opts = append(opts, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)))
	}
	loaded, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return "", fmt.Errorf("load AWS configuration: %w", err)
	}
	client := cloudfront.NewFromConfig(loaded, func(o *cloudfront.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = &c.Endpoint
		}
	})
	out, err := client.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{
		DistributionId: &c.DistributionID,
		InvalidationBatch: &types.InvalidationBatch{
			CallerReference: &reference,
			Paths:           &types.Paths{Quantity: aws.Int32(int32(len(paths))), Items: paths},
		},
	})
	if err != nil {
		return "", c.refused(err)
	}
	if out.Invalidation == nil {
		return "", nil
	}
	return aws.ToString(out.Invalidation.Id), nil
}

// refused says which right or which variable is missing.
func (c CloudFront) refused(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fmt.Errorf("invalidate at CloudFront: %w", err)
	}
	switch api.ErrorCode() {
	case "AccessDenied":
		return fmt.Errorf("CloudFront refuses: the credentials need cloudfront:CreateInvalidation on distribution %s", c.DistributionID)
	case "NoSuchDistribution":
		return fmt.Errorf("CloudFront knows no distribution %s: correct AWS_CLOUDFRONT_DISTRIBUTION_ID", c.DistributionID)
	case "TooManyInvalidationsInProgress":
		return errors.New("CloudFront is still forgetting others: run the takedown again in a few minutes")
	default:
		return fmt.Errorf("CloudFront refuses to forget the picture: %s", api.ErrorCode())
	}
}
