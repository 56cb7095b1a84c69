import type { components, operations } from "./schema.js";

// The names of the API's objects, as docs/openapi.json has them. schema.ts is
// generated from that file; nothing in it is written by hand.
type Schemas = components["schemas"];

export type Job = Schemas["Job"];
export type Candidate = Schemas["Candidate"];
export type JobEvent = Schemas["Event"];
/** What the stream's image.progress carries; no step of the history. */
export type ImageProgress = Schemas["CandidateProgress"] & { job_id: string; image_id: string };
export type JobList = Schemas["JobList"];
export type Submission = Schemas["Submission"];
export type Draft = Schemas["Draft"];
export type DraftList = Schemas["DraftList"];
export type Decision = Schemas["Decision"];
export type ApproveRequest = Schemas["ApproveRequest"];
export type RejectRequest = Schemas["RejectRequest"];
export type Post = Schemas["Post"];
export type Capabilities = Schemas["Capabilities"];
export type Problem = Schemas["Problem"];

export type JobFilter = NonNullable<operations["listJobs"]["parameters"]["query"]>;
export type DraftFilter = NonNullable<operations["listDrafts"]["parameters"]["query"]>;
