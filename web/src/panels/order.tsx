// The order of the accepted quote, as its fulfilment moves.
import { useQuery } from "@tanstack/react-query";
import { Age } from "../age";
import { body } from "../api";
import { useLanguage } from "../language";
import { Refusal } from "../refusal";
import { useSession } from "../session";
import { State } from "../state";

const POLL_MS = 1_000;
const FINAL_STATES = ["completed", "failed", "partial", "rejected", "cancelled"];

export function Order({ quoteId }: { quoteId: string | null }) {
  const { say } = useLanguage();
  const { api, identity } = useSession();
  const found = useQuery({
    queryKey: [identity.tenant, "orders-of", quoteId],
    enabled: quoteId !== null,
    refetchInterval: (query) => (query.state.data?.items.length ? false : POLL_MS),
    queryFn: () => body(api.order.GET("/order/v1/orders", { params: { query: { quoteId: quoteId ?? "" } } })),
  });
  const orderId = found.data?.items[0]?.id;
  const order = useQuery({
    queryKey: [identity.tenant, "order", orderId],
    enabled: orderId !== undefined,
    refetchInterval: (query) => (FINAL_STATES.includes(query.state.data?.order.state ?? "") ? false : POLL_MS),
    queryFn: async () => {
      const seen = await body(api.order.GET("/order/v1/orders/{id}", { params: { path: { id: orderId ?? "" } } }));
      return { order: seen, readAt: new Date().toISOString() };
    },
  });
  const shown = order.data?.order;

  return (
    <section aria-labelledby="order-title" aria-live="polite">
      <h2 id="order-title">
        {say("order")} {order.data && <Age since={order.data.readAt} phrase="updated" />}
      </h2>
      <Refusal error={found.error ?? order.error} />
      {!shown && <p className="quiet">{say("noOrder")}</p>}
      {shown && (
        <>
          <p>
            <State value={shown.state} testId="order-state" /> <code>{shown.id}</code>
          </p>
          <table>
            <tbody>
              {shown.items.map((item) => (
                <tr key={item.id}>
                  <td>
                    {item.name} × {item.quantity}
                  </td>
                  <td>
                    <State value={item.state} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          <h3>{say("tasks")}</h3>
          <table>
            <tbody>
              {shown.tasks.map((task) => (
                <tr key={task.id}>
                  <td>
                    {task.kind} {task.error && <small className="quiet">{task.error}</small>}
                  </td>
                  <td>
                    <State value={task.state} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
    </section>
  );
}
