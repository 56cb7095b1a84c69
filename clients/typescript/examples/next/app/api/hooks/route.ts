import { revalidatePath } from "next/cache";
import { Webhook } from "standardwebhooks";

const hook = new Webhook(process.env["FRONTISPIECE_WEBHOOK_SECRET"] ?? "");

/** POST is told of published posts; POST /v1/webhooks names this address and answers with the secret. */
export async function POST(request: Request): Promise<Response> {
  const body = await request.text();
  let event: { type: string; data: { slug?: string } };
  try {
    event = hook.verify(body, Object.fromEntries(request.headers)) as typeof event;
  } catch {
    return new Response("the signature is not ours", { status: 401 });
  }
  if (event.type.startsWith("post.") && event.data.slug) {
    // To do it twice does no harm: events may come again.
    revalidatePath(`/posts/${event.data.slug}`);
    revalidatePath("/");
  }
  return new Response(null, { status: 204 });
}
