// Against real servers, which the Go test beside this folder builds and starts:
// one that draws covers at once, and one whose generator never answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Frontispiece, JobEndedError, ProblemError, waitForImage, type ImageProgress, type JobEvent } from "../src/index.js";

const quick = process.env["FRONTISPIECE_URL"] ?? "";
const stuck = process.env["FRONTISPIECE_STUCK_URL"] ?? "";
const request = { prompt: "A lighthouse at dawn", width: 512, height: 512 };
const steps = ["job.queued", "image.generating", "image.spooled", "image.uploading", "image.stored", "job.stored"];

/** A client whose connections something on the way meddles with. */
function meddled(base: string, meddle: (path: string, init: RequestInit | undefined, next: () => Promise<Response>) => Promise<Response>): Frontispiece {
  const through: typeof fetch = (input, init) => meddle(new URL(String(input)).pathname, init, () => fetch(input, init));
  return new Frontispiece({ baseURL: base, fetch: through });
}

test("a picture comes with every step, once and in order", async () => {
  const client = new Frontispiece({ baseURL: quick });
  const submitted = await client.submit(request);
  const events: JobEvent[] = [];
  const { job, image } = await waitForImage(client, submitted.id, { onEvent: (e) => events.push(e) });
  assert.deepEqual(events.map((e) => e.type), steps);
  assert.equal(job.state, "stored");
  const picture = await fetch(client.url(image.url ?? ""));
  assert.equal(picture.headers.get("Content-Type"), image.content_type);
  assert.equal((await picture.arrayBuffer()).byteLength, image.bytes);
});

test("a stream that breaks off after every step is taken up where it was", async () => {
  const resumed: (string | null)[] = [];
  const client = meddled(quick, async (path, init, next) => {
    const response = await next();
    if (!path.endsWith("/events")) return response;
    resumed.push(new Headers(init?.headers).get("Last-Event-ID"));
    if (!response.body) return response; // 204: that was all
    const reader = response.body.getReader();
    let first = "";
    for (const decoder = new TextDecoder(); !first.includes("data: "); ) {
      const { done, value } = await reader.read();
      if (done) break;
      first += decoder.decode(value);
    }
    // One message, half of another, and then nothing more.
    const cut = first.indexOf("\n\n", first.indexOf("data: ")) + 2;
    void reader.cancel();
    return new Response(first.slice(0, cut) + "id: 99999999\nevent: hal", { headers: response.headers });
  });
  const submitted = await client.submit({ ...request, prompt: "A harbour at dusk" }, { wait: 60 });
  const events: JobEvent[] = [];
  const { job } = await waitForImage(client, submitted.id, { onEvent: (e) => events.push(e) });
  assert.equal(job.state, "stored");
  assert.deepEqual(events.map((e) => e.type), steps);
  assert.equal(resumed[0], null);
  assert.deepEqual(resumed.slice(1), events.map((e) => String(e.id)));
});

test("progress is told apart from the steps", async () => {
  const progress = { job_id: "", image_id: "", generator: "sdcpp", percent: 50, stage: "generating", at: "2026-01-02T03:04:05Z" };
  const client = meddled(quick, async (path, _, next) => {
    const response = await next();
    if (!path.endsWith("/events")) return response;
    return new Response(`event: image.progress\ndata: ${JSON.stringify(progress)}\n\n` + (await response.text()), { headers: response.headers });
  });
  const submitted = await client.submit(request);
  const [events, told]: [JobEvent[], ImageProgress[]] = [[], []];
  await waitForImage(client, submitted.id, { onEvent: (e) => events.push(e), onProgress: (p) => told.push(p) });
  assert.deepEqual(told, [progress]);
  assert.deepEqual(events.map((e) => e.type), steps);
});

test("where no stream comes through it polls", async () => {
  for (const answer of [
    () => Promise.resolve(new Response("<h1>proxy</h1>", { headers: { "Content-Type": "text/html" } })),
    () => Promise.reject(new TypeError("network")),
  ]) {
    let polls = 0;
    const client = meddled(quick, (path, _, next) => {
      if (path.endsWith("/events")) return answer();
      polls++;
      return next();
    });
    const submitted = await client.submit(request);
    const { image } = await waitForImage(client, submitted.id);
    assert.equal(image.state, "stored");
    assert.ok(polls >= 2);
  }
});

test("a job that was canceled is told as such", async () => {
  const client = new Frontispiece({ baseURL: stuck });
  const submitted = await client.submit(request);
  const waiting = waitForImage(client, submitted.id, { onEvent: (e) => void (e.type === "job.queued" && client.cancel(submitted.id)) });
  await assert.rejects(waiting, (error: unknown) => error instanceof JobEndedError && error.job.state === "canceled");
});

test("waiting can be given up, by stream and by poll", async () => {
  for (const client of [
    new Frontispiece({ baseURL: stuck }),
    meddled(stuck, (path, _, next) => (path.endsWith("/events") ? Promise.resolve(new Response("", { status: 200 })) : next())),
  ]) {
    const submitted = await client.submit(request);
    const giveUp = new AbortController();
    const waiting = waitForImage(client, submitted.id, { signal: giveUp.signal });
    setTimeout(() => giveUp.abort(new Error("enough")), 100);
    await assert.rejects(waiting, /enough/);
    assert.notEqual((await client.job(submitted.id)).state, "canceled");
    await assert.rejects(waitForImage(client, submitted.id, { signal: AbortSignal.abort(new Error("before")) }), /before/);
  }
});

test("refusals are problems with a code", async () => {
  const client = new Frontispiece({ baseURL: quick });
  await assert.rejects(waitForImage(client, "00000000-0000-7000-8000-000000000000"), (error: unknown) => error instanceof ProblemError && error.problem.status === 404 && error.problem.code === "not_found");
  await assert.rejects(client.submit({ prompt: "no" }), (error: unknown) => error instanceof ProblemError && error.problem.errors?.[0]?.field === "prompt");
});

test("an answer that was lost on the way costs no second job", async () => {
  let lost = 0;
  const client = meddled(quick, async (path, init, next) => {
    const response = await next();
    if (path === "/v1/jobs" && init?.method === "POST" && lost++ === 0) throw new TypeError("the connection was reset");
    return response;
  });
  const title = "Lost and found " + crypto.randomUUID();
  const job = await client.submit({ ...request, title });
  const list = await client.jobs({ created_by: "me", limit: 100 });
  assert.deepEqual(list.items.filter((j) => j.request.title === title).map((j) => j.id), [job.id]);
  assert.equal(lost, 2);
});
