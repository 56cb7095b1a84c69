import type { NextConfig } from "next";

const config: NextConfig = {
  images: {
    // The host of your pictures: CloudFront, or the API itself.
    remotePatterns: [new URL("https://d111111abcdef8.cloudfront.net/**")],
  },
};

export default config;
