package dev.ebb.gateway.session;

import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import io.vertx.core.Future;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Every open session, and which branch each is connected to. For any thread. */
public final class LiveSessions {
  private final Set<ClientSession> all = ConcurrentHashMap.newKeySet();
  private final Map<BranchId, Set<ClientSession>> byBranch = new ConcurrentHashMap<>();
  private volatile boolean stopping;

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
                .map(session -> session.terminate("the gateway is shutting down"))
                .toList())
        .mapEmpty();
  }
}
