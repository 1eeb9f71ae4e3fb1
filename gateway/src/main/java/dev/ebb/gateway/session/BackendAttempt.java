package dev.ebb.gateway.session;

import dev.ebb.gateway.auth.BackendScram;
import dev.ebb.gateway.protocol.ErrorFrame;
import dev.ebb.gateway.protocol.ErrorResponse;
import dev.ebb.gateway.protocol.SqlState;
import dev.ebb.gateway.relay.Closing;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.internal.ContextInternal;
import io.vertx.core.internal.net.NetSocketInternal;
import io.vertx.core.net.NetClient;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Wakes a branch and logs into its compute, or into one of its replicas, again and again until that
 * succeeds, cannot succeed or the deadline is over: between the answer to a wake and the connection
 * a suspend may have stopped the compute again. Confined to one event loop.
 */
final class BackendAttempt {
  private static final long FIRST_PAUSE_MS = 10;
  private static final long MAX_PAUSE_MS = 500;

  /** A replica that died is started again in less. */
  private static final long REPLICA_PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(5);

  private final SessionServices services;
  private final NetClient client;
  private final Login login;
  private long beganNanos;
  private long deadlineNanos;
  private final ContextInternal context;
  private final Promise<Connected> done;
  private @Nullable NetSocketInternal socket;
  private long pauseMs = FIRST_PAUSE_MS;
  private long wakeNanos;
  private boolean started;
  private boolean abandoned;
  private BranchId branch;
  private final Route route;
  private @Nullable Target target;

  /**
   * A compute that waits for the first statement.
   *
   * @param started whether it was started for this client
   * @param wakeNanos spent waiting for wakes; the rest was logging in
   */
  record Connected(BackendLogin.Ready backend, Target compute, boolean started, long wakeNanos) {}

  /** No replica takes sessions now; one may in a moment. */
  private static final class NoReplica extends RuntimeException {
    private static final long serialVersionUID = 1L;

    NoReplica() {
      super("there is no replica", null, false, false);
    }
  }

  BackendAttempt(SessionServices services, ContextInternal context, NetClient client, Login login) {
    this.services = services;
    this.context = context;
    this.done = context.promise();
    this.client = client;
    this.login = login;
    this.branch = login.branch();
    this.route = Route.of(login.asked());
  }

  /** The time that a wake may take begins here: a pause before it uses nothing of that up. */
  Future<Connected> start() {
    beganNanos = System.nanoTime();
    deadlineNanos = beganNanos + TimeUnit.MILLISECONDS.toNanos(services.limits().wakeTimeoutMs());
    again();
    return done.future();
  }

  /** The client is gone: what is open is closed, what comes late is dropped. */
  void abandon() {
    abandoned = true;
    closeSocket();
  }

  Login login() {
    return login;
  }

  private void again() {
    if (abandoned) {
      return;
    }
    long began = System.nanoTime();
    find()
        .compose(compute -> {
          wakeNanos += System.nanoTime() - began;
          started |= compute.started();
          target = compute;
          return connect(compute);
        })
        .onComplete(
            connected -> {
              if (abandoned) {
                closeSocket();
              }
              done.tryComplete(connected);
            },
            error -> failed(error));
  }

  private Future<Target> find() {
    return switch (route) {
      case PRIMARY ->
          services.computes().connect(branch, login.address(), leftMs()).map(Target::of);
      case REPLICA ->
          services
              .replicas()
              .next(branch)
              .map(place -> Future.succeededFuture(Target.of(branch, place)))
              .orElseGet(() -> Future.failedFuture(new NoReplica()));
    };
  }

  private Future<Connected> connect(Target compute) {
    if (abandoned) {
      return Future.failedFuture(new EbbException.Unavailable("the client is gone"));
    }
    return services
        .connector()
        .connect(context, client, compute.address(), compute.port())
        .recover(
            error -> Future.failedFuture(new ConnectFailed(String.valueOf(error.getMessage()))))
        .compose(opened -> {
          socket = opened;
          if (abandoned) {
            closeSocket();
          }
          var scram = new BackendScram(login.keys(), services.rules()::nonce);
          return new BackendLogin(socket, login, scram, context.promise())
              .start()
              .timeout(loginMs(compute), TimeUnit.MILLISECONDS)
              .recover(error ->
                  explained(error, compute)
                      .compose(cause -> Future.failedFuture(new ConnectFailed(cause))));
        })
        .map(ready -> new Connected(ready, compute, started, wakeNanos));
  }

  /** A session's start reads the catalog, and may meet a damaged page there. */
  private Future<Throwable> explained(Throwable error, Target compute) {
    if (error instanceof TimeoutException) {
      return Future.succeededFuture(
          new EbbException.Unavailable("the compute did not answer in time"));
    }
    if (!(error instanceof Refusal refusal)) {
      return Future.succeededFuture(error);
    }
    var frame = new ErrorFrame(refusal.error().encode().getBytes());
    var details = new DamageDetails(services.computes(), compute.branch());
    if (!details.concerns(frame)) {
      return Future.succeededFuture(error);
    }
    return details
        .about(frame)
        .<Throwable>map(
            text -> text.isEmpty() ? refusal : new Refusal(refusal.error().withDetail(text)))
        .otherwise(refusal);
  }

  /** Something failed behind the wake: another try is worth it unless the cause is final. */
  private static final class ConnectFailed extends RuntimeException {
    private static final long serialVersionUID = 1L;

    ConnectFailed(String message) {
      super(message, new EbbException.Unavailable(message), false, false);
    }

    ConnectFailed(Throwable cause) {
      super(cause.getMessage(), cause, false, false);
    }

    boolean isFinal() {
      return getCause() instanceof Refusal || getCause() instanceof EbbException.Corrupt;
    }
  }

  private void failed(Throwable error) {
    Target met = target;
    if (met != null && error instanceof ConnectFailed failure && !failure.isFinal()) {
      met.failed();
    }
    closeSocket();
    boolean mayBeAnother = error instanceof EbbException.NotFound || error instanceof NoReplica;
    if (mayBeAnother && !abandoned) {
      lookUpAgain(error);
      return;
    }
    retryOrGiveUp(error);
  }

  /**
   * The name means another branch by now. That one's compute decides by itself whether the client's
   * keys are right there.
   */
  private void lookUpAgain(Throwable error) {
    services.routes().forget(login.address());
    services
        .routes()
        .find(login.address())
        .onComplete(
            found -> {
              if (found.isPresent() && !found.get().equals(branch)) {
                branch = found.get();
                again();
              } else {
                retryOrGiveUp(error);
              }
            },
            this::retryOrGiveUp);
  }

  private void retryOrGiveUp(Throwable error) {
    boolean worthAnother =
        switch (error) {
          case NoReplica none ->
              services.replicas().isExpected(branch)
                  && System.nanoTime() - beganNanos < REPLICA_PATIENCE_NANOS;
          case ConnectFailed failed -> !failed.isFinal();
          case EbbException.Conflict busy -> true;
          case EbbException.Fenced fenced -> true;
          default -> false;
        };
    if (worthAnother && !abandoned && leftMs() > pauseMs) {
      services.vertx().setTimer(pauseMs, fired -> again());
      pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
      return;
    }
    String what = "\"" + login.address() + "\"";
    if (error instanceof NoReplica) {
      done.tryFail(noReplica(what));
      return;
    }
    done.tryFail(
        error instanceof ConnectFailed failed && failed.getCause() != null
            ? Refusal.of("cannot connect to the compute of " + what, failed.getCause())
            : Refusal.of("cannot wake " + what, error));
  }

  /** Not the primary instead: who asks for a replica may do so to spare it, or not to wake it. */
  private Refusal noReplica(String what) {
    return services.replicas().isExpected(branch)
        ? new Refusal(
            SqlState.CANNOT_CONNECT_NOW,
            "no replica of " + what + " takes connections now: try again in a moment")
        : new Refusal(
            ErrorResponse.fatal(SqlState.CANNOT_CONNECT_NOW, what + " has no replica")
                .withHint(
                    "Add one (ebb replica add), or connect without ebb.route to reach the"
                        + " primary."));
  }

  /** Of a replica that hangs there may be another one. */
  private long loginMs(Target compute) {
    long left = Math.max(1, leftMs());
    return compute.isReplica()
        ? Math.min(left, TimeUnit.NANOSECONDS.toMillis(REPLICA_PATIENCE_NANOS))
        : left;
  }

  private long leftMs() {
    return TimeUnit.NANOSECONDS.toMillis(deadlineNanos - System.nanoTime());
  }

  private void closeSocket() {
    Target left = target;
    target = null;
    if (left != null) {
      left.leave();
    }
    NetSocketInternal open = socket;
    socket = null;
    if (open != null) {
      Closing.afterFlush(services.vertx(), open);
    }
  }
}
