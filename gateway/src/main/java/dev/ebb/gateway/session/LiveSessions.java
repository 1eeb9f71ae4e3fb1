package dev.ebb.gateway.session;

import dev.ebb.gateway.console.ClientInfo;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import io.netty.channel.EventLoop;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** Every open session, and which branch each is connected to. For any thread. */
public final class LiveSessions {
  private final Set<ClientSession> all = ConcurrentHashMap.newKeySet();
  private final Map<BranchId, Set<ClientSession>> byBranch = new ConcurrentHashMap<>();
  private volatile boolean stopping;

  private static final String SHUTTING_DOWN = "the gateway is shutting down";

  void add(ClientSession session) {
    all.add(session);
  }

  void place(ClientSession session, BranchId branch) {
    byBranch.compute(
        branch,
        (id, sessions) -> {
          Set<ClientSession> set = sessions == null ? ConcurrentHashMap.newKeySet() : sessions;
          set.add(session);
          return set;
        });
  }

  void remove(ClientSession session) {
    all.remove(session);
  }

  void displace(ClientSession session, BranchId branch) {
    byBranch.computeIfPresent(
        branch,
        (id, sessions) -> {
          sessions.remove(session);
          return sessions.isEmpty() ? null : sessions;
        });
  }

  public int size() {
    return all.size();
  }

  boolean isStopping() {
    return stopping;
  }

  /**
   * Ends the sessions on a compute that a newer generation has taken over from: a fence stops its
   * commits only, not stale reads (storage rule 12).
   */
  public void heard(HostAnnouncement announcement) {
    for (ComputeStatus compute : announcement.computes()) {
      for (ClientSession session : byBranch.getOrDefault(compute.branch(), Set.of())) {
        session.endIfOlderThan(compute.generation());
      }
    }
  }

  /** Ends all sessions and refuses new ones; completes when every client was told. */
  public Future<Void> stop() {
    stopping = true;
    return Future.join(
            List.copyOf(all).stream()
                .map(session -> session.terminate(DisconnectReason.SHUTDOWN, SHUTTING_DOWN))
                .toList())
        .mapEmpty();
  }

  /** Ends those sessions that are between two transactions, and the others when they are. */
  public void drain() {
    all.forEach(session -> session.drain(SHUTTING_DOWN));
  }

  /** What all clients do, each as its own event loop says. */
  public Future<List<ClientInfo>> describe() {
    return onLoops(session -> Optional.of(session.describe()));
  }

  /**
   * Ends some clients.
   *
   * @return what they were like
   */
  public Future<List<ClientInfo>> kill(Predicate<ClientInfo> which) {
    return onLoops(session -> {
      ClientInfo now = session.describe();
      if (!which.test(now)) {
        return Optional.empty();
      }
      var _ = session.terminate(DisconnectReason.KILLED, "ended by an administrator");
      return Optional.of(now);
    });
  }

  /** Asks each session on its own event loop: one task a loop, however many sessions it has. */
  private Future<List<ClientInfo>> onLoops(Function<ClientSession, Optional<ClientInfo>> ask) {
    Map<EventLoop, List<ClientSession>> byLoop =
        all.stream().collect(Collectors.groupingBy(session -> session.context().nettyEventLoop()));
    List<Future<List<ClientInfo>>> answers =
        byLoop.values().stream()
            .map(sessions -> {
              Promise<List<ClientInfo>> answer = Promise.promise();
              sessions
                  .getFirst()
                  .context()
                  .runOnContext(now -> {
                    try {
                      answer.complete(
                          sessions.stream().map(ask).flatMap(Optional::stream).toList());
                    } catch (RuntimeException e) {
                      answer.fail(e);
                    }
                  });
              return answer.future();
            })
            .toList();
    return Future.all(answers)
        .map(done -> answers.stream().flatMap(each -> each.result().stream()).toList());
  }
}
