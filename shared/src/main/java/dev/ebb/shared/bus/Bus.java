package dev.ebb.shared.bus;

import dev.ebb.shared.error.EbbException;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.EventBus;
import io.vertx.core.eventbus.Message;
import io.vertx.core.eventbus.MessageConsumer;
import io.vertx.core.eventbus.ReplyException;
import io.vertx.core.eventbus.ReplyFailure;
import java.util.function.Consumer;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The event bus with types. A request's failed future carries an {@link EbbException}, the one that
 * the handler threw; where nobody answers it is {@code Unavailable}. Delivery is at most once:
 * handlers are idempotent and callers name a timeout.
 */
public final class Bus {
  private static final Logger log = LoggerFactory.getLogger(Bus.class);

  private final Vertx vertx;
  private final EventBus events;

  public Bus(Vertx vertx) {
    this.vertx = vertx;
    this.events = vertx.eventBus();
    try {
      events.registerCodec(new BusCodec());
    } catch (IllegalStateException e) {
      log.trace("the codec is registered already", e);
    }
  }

  public Vertx vertx() {
    return vertx;
  }

  /** Sends a request to one consumer of the address. */
  public <R extends BusMessage> Future<R> request(
      String address, Request<R> request, long timeoutMs) {
    return events
        .<BusMessage>request(address, request, options().setSendTimeout(timeoutMs))
        .recover(error -> Future.failedFuture(noAnswer(address, request, error)))
        .compose(reply -> {
          if (reply.body() instanceof Failure failure) {
            return Future.failedFuture(failure.toException());
          }
          @SuppressWarnings("unchecked") // the handler's type says that it answers with R
          R answer = (R) reply.body();
          return Future.succeededFuture(answer);
        });
  }

  /** Sends to every consumer of the address; nobody answers. */
  public void publish(String address, BusMessage message) {
    events.publish(address, message, options());
  }

  /**
   * Answers the requests that reach an address. What the handler throws, or its future fails with,
   * is the answer then.
   */
  public MessageConsumer<BusMessage> answer(
      String address, Function<BusMessage, Future<? extends BusMessage>> handler) {
    return events.consumer(
        address,
        message ->
            answer(message, handler)
                .onComplete(
                    reply -> reply(message, reply),
                    error -> {
                      if (!(error instanceof EbbException)) {
                        log.error("a request on {} failed", address, error);
                      }
                      message.reply(Failure.of(error), options());
                    }));
  }

  private static Future<? extends BusMessage> answer(
      Message<BusMessage> message, Function<BusMessage, Future<? extends BusMessage>> handler) {
    try {
      return handler.apply(message.body()); // body() decodes, and refuses what is malformed
    } catch (RuntimeException e) {
      return Future.failedFuture(e);
    }
  }

  private static void reply(Message<BusMessage> message, BusMessage reply) {
    try {
      message.reply(reply, options());
    } catch (RuntimeException e) { // it cannot be encoded: without this the caller would wait
      log.error("an answer cannot be sent", e);
      message.reply(Failure.of(e), options());
    }
  }

  /** Receives what is published on an address. */
  public MessageConsumer<BusMessage> subscribe(String address, Consumer<BusMessage> handler) {
    return events.consumer(
        address,
        message -> {
          BusMessage body;
          try {
            body = message.body();
          } catch (EbbException e) {
            log.warn("a message on {} is ignored: {}", address, e.getMessage());
            return;
          }
          handler.accept(body);
        });
  }

  /** Whether a request failed because no consumer of its address is known in the cluster. */
  public static boolean foundNobody(Throwable error) {
    return error.getCause() instanceof ReplyException reply
        && reply.failureType() == ReplyFailure.NO_HANDLERS;
  }

  private static DeliveryOptions options() {
    return new DeliveryOptions().setCodecName(BusCodec.NAME);
  }

  private static EbbException noAnswer(String address, Object request, Throwable error) {
    String what = request.getClass().getSimpleName();
    if (error instanceof ReplyException reply) {
      if (reply.failureType() == ReplyFailure.NO_HANDLERS) {
        return new EbbException.Unavailable(
            "no service listens on " + address + " (" + what + "): is it running?", error);
      }
      if (reply.failureType() == ReplyFailure.TIMEOUT) {
        return new EbbException.Unavailable(
            address + " did not answer " + what + " in time", error);
      }
    }
    return new EbbException.Unavailable(what + " failed: " + error.getMessage(), error);
  }
}
