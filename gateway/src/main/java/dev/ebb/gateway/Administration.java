package dev.ebb.gateway;

import dev.ebb.gateway.console.ClientInfo;
import dev.ebb.gateway.console.ConsoleException;
import dev.ebb.gateway.console.GatewayView;
import dev.ebb.gateway.pool.Pauses;
import dev.ebb.gateway.pool.PoolInfo;
import dev.ebb.gateway.pool.Pools;
import dev.ebb.gateway.relay.DatabaseTraffic;
import dev.ebb.gateway.session.SessionServices;
import dev.ebb.gateway.tls.TlsWatch;
import dev.ebb.shared.model.BranchAddress;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The gateway as its console sees it. For any thread. */
final class Administration implements GatewayView {
  private static final Logger log = LoggerFactory.getLogger(Administration.class);

  /** How often it is looked whether transactions have ended. */
  private static final long LOOK_AGAIN_MS = 20;

  private final GatewayConfig config;
  private final SessionServices services;
  private final TlsWatch watch;
  private final Supplier<Pools.@Nullable Shared> shared;

  /**
   * @param shared where clients share connections; null where none do
   */
  Administration(
      GatewayConfig config,
      SessionServices services,
      TlsWatch watch,
      Supplier<Pools.@Nullable Shared> shared) {
    this.config = config;
    this.services = services;
    this.watch = watch;
    this.shared = shared;
  }

  @Override
  public Future<List<ClientInfo>> clients() {
    return services.live().describe();
  }

  @Override
  public Future<List<PoolInfo>> pools() {
    Pools.Shared pools = shared.get();
    return pools == null ? Future.succeededFuture(List.of()) : pools.describe();
  }

  @Override
  public List<DatabaseTraffic> databases() {
    return services.databases().all();
  }

  @Override
  public Pauses pauses() {
    return services.pauses();
  }

  @Override
  public List<Setting> settings() {
    return GatewaySettings.of(config);
  }

  @Override
  public Future<Boolean> exists(BranchAddress address) {
    return services.routes().find(address).map(Optional::isPresent);
  }

  private static Predicate<String> matching(String address) {
    return each -> address.isEmpty() || each.equals(address);
  }

  @Override
  public Future<Void> pause(String address, BooleanSupplier isGone) {
    log.info("{} is paused", address.isEmpty() ? "everything" : address);
    services.pauses().pause(address);
    Pools.Shared pools = shared.get();
    if (pools == null) {
      return Future.succeededFuture();
    }
    Promise<Void> quiet = Promise.promise();
    pools
        .pauseBegan(matching(address))
        .onComplete(begun -> awaitQuiet(pools, address, isGone, quiet), quiet::fail);
    return quiet.future();
  }

  private void awaitQuiet(
      Pools.Shared pools, String address, BooleanSupplier isGone, Promise<Void> quiet) {
    if (isGone.getAsBoolean()) {
      quiet.fail(notAwaited("nobody waits for the pause any more"));
      return;
    }
    boolean isPaused = address.isEmpty() ? pauses().isAllPaused() : pauses().isPaused(address);
    if (!isPaused) {
      quiet.fail(notAwaited("the pause was ended meanwhile, by somebody else's RESUME"));
      return;
    }
    pools
        .busy(matching(address))
        .onComplete(
            busy -> {
              if (busy == 0) {
                quiet.complete();
              } else {
                services
                    .vertx()
                    .setTimer(LOOK_AGAIN_MS, timer -> awaitQuiet(pools, address, isGone, quiet));
              }
            },
            quiet::fail);
  }

  private static ConsoleException notAwaited(String why) {
    return new ConsoleException("55000", why, "SHOW DATABASES tells what is paused.");
  }

  @Override
  public boolean resume(String address) {
    boolean was = services.pauses().resume(address);
    Pools.Shared pools = shared.get();
    if (was) {
      log.info("{} is resumed", address.isEmpty() ? "everything" : address);
    }
    if (was && pools != null) {
      // Some may be paused still: by name, or all of them.
      var _ = pools.resumed(each -> matching(address).test(each) && !pauses().isPaused(each));
    }
    return was;
  }

  @Override
  public Future<Integer> kill(Predicate<ClientInfo> clients) {
    return services
        .live()
        .kill(clients)
        .map(ended -> {
          ended.forEach(
              client -> log.info("client {} of {} was killed", client.id(), client.database()));
          return ended.size();
        });
  }

  @Override
  public Future<Integer> killBranch(String address) {
    services.pauses().pause(address);
    Pools.Shared pools = shared.get();
    return kill(client -> client.database().equals(address) && !client.mode().equals("console"))
        .compose(count ->
            pools == null
                ? Future.succeededFuture(count)
                : pools.closeAll(matching(address)).map(closed -> count));
  }

  @Override
  public Future<List<String>> reload() {
    return watch.reload().map(what -> List.of(what));
  }
}
