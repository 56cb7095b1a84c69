import { type Frontispiece, ProblemError, problemOf, sleep } from "./client.js";
import type { Candidate, ImageProgress, Job, JobEvent } from "./types.js";

export interface WaitOptions {
  /** Stops waiting; the job goes on. */
  signal?: AbortSignal;
  /** Hears of every step once and in order, over all reconnections. Not while polling. */
  onEvent?: (event: JobEvent) => void;
  /** Hears how far a picture is, where its generator tells. Not while polling: then onJob has it. */
  onProgress?: (progress: ImageProgress) => void;
  /** Sees the job whenever it was read, at the latest when it has ended. */
  onJob?: (job: Job) => void;
}

/** The job ended without a picture: `job.state` and `job.failure` say how and why. */
export class JobEndedError extends Error {
  override readonly name = "JobEndedError";
  constructor(readonly job: Job) {
    super(job.failure?.message ?? `the job is ${job.state}`);
  }
}

const stalledAfter = 45_000; // three heartbeats that did not come
const maxBreaks = 3; // of streams without a word between them: then poll

/**
 * Waits until a job has ended and returns its first stored picture. It follows
 * the job's events, connects again where it broke off, and falls back to long
 * polls where something on the way lets no stream through.
 */
export async function waitForImage(client: Frontispiece, jobID: string, options: WaitOptions = {}): Promise<{ job: Job; image: Candidate }> {
  const job = (await follow(client, jobID, options)) ?? (await poll(client, jobID, options));
  options.onJob?.(job);
  const image = job.candidates.find((c) => c.state === "stored");
  if (job.state !== "stored" || !image) throw new JobEndedError(job);
  return { job, image };
}

/** Follows the event stream to its end; undefined when there is no getting through. */
async function follow(client: Frontispiece, jobID: string, options: WaitOptions): Promise<Job | undefined> {
  const path = `/v1/jobs/${encodeURIComponent(jobID)}`;
  let last = "";
  for (let breaks = 0; breaks < maxBreaks; breaks++) {
    const stop = new AbortController();
    const aborted = () => stop.abort(options.signal?.reason);
    if (options.signal?.aborted) throw options.signal.reason;
    options.signal?.addEventListener("abort", aborted, { once: true });
    let stalled = setTimeout(() => stop.abort(), stalledAfter);
    try {
      const headers = { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
      const response = await client.open(`${path}/events`, { headers, signal: stop.signal });
      if (response.status === 204) return await client.job(jobID, options);
      if (!response.ok) throw await problemOf(response);
      if (!response.body || !response.headers.get("Content-Type")?.startsWith("text/event-stream")) return undefined;
      for await (const message of messages(response.body)) {
        clearTimeout(stalled);
        stalled = setTimeout(() => stop.abort(), stalledAfter);
        if (message.data === "") continue;
        breaks = 0;
        if (message.event === "end") return JSON.parse(message.data) as Job;
        last = message.id || last;
        if (message.event === "image.progress") options.onProgress?.(JSON.parse(message.data) as ImageProgress);
        else options.onEvent?.(JSON.parse(message.data) as JobEvent);
      }
    } catch (error) {
      if (options.signal?.aborted) throw options.signal.reason;
      if (error instanceof ProblemError && !passing(error)) throw error;
    } finally {
      clearTimeout(stalled);
      options.signal?.removeEventListener("abort", aborted);
      stop.abort(); // whatever is left of the stream
    }
    await sleep(500 * 2 ** breaks * (0.5 + Math.random()), options.signal);
  }
  return undefined;
}

async function poll(client: Frontispiece, jobID: string, options: WaitOptions): Promise<Job> {
  for (let failures = 0; ; ) {
    try {
      const job = await client.job(jobID, { wait: 30, signal: options.signal });
      if (["stored", "failed", "canceled", "superseded"].includes(job.state)) return job;
      options.onJob?.(job);
      failures = 0;
    } catch (error) {
      if (options.signal?.aborted) throw options.signal.reason;
      if (!(error instanceof ProblemError) ? ++failures > 10 : !passing(error)) throw error;
      await sleep(1000 * ((error instanceof ProblemError && error.retryAfter) || Math.min(30, 2 ** failures)), options.signal);
    }
  }
}

/** Whether a refusal may be another answer in a while. */
const passing = (error: ProblemError) => [408, 429, 500, 502, 503, 504].includes(error.problem.status);

/** The messages of an event stream; a comment comes as one without data. */
async function* messages(body: ReadableStream<Uint8Array>): AsyncGenerator<{ id: string; event: string; data: string }> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (let buffer = ""; ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    buffer += decoder.decode(value, { stream: true });
    const blocks = buffer.split("\n\n");
    buffer = blocks.pop() ?? "";
    for (const block of blocks) {
      const message = { id: "", event: "message", data: "" };
      for (const line of block.split("\n")) {
        const at = line.indexOf(": ");
        const field = line.slice(0, at);
        if (field === "id" || field === "event" || field === "data") message[field] = line.slice(at + 2);
      }
      yield message;
    }
  }
}
