package dev.ebb.gateway.pool;

import io.netty.buffer.ByteBufAllocator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The statements that one connection to a compute has, as far as was said and heard: what is on its
 * way counts, and is undone where the compute does not do it. Confined to one event loop.
 */
final class ServerStatements {
  /** Of what was to be closed and is still there. */
  private static final int OLD_EPOCH = -1;

  private static final byte[] NO_NAME = {};

  private final PooledServer server;
  private final Statements shared;
  private final int most;
  private final LinkedHashMap<Prepared, Use> prepared = new LinkedHashMap<>(64, 0.75f, true);
  private long transaction;
  private @Nullable Unnamed unnamed;
  private boolean confused;

  /**
   * @param epoch of the statement when it was prepared here
   * @param transaction in which it was used last
   */
  private record Use(int epoch, long transaction) {}

  /**
   * @param most that are kept, but for those of the present transaction
   */
  ServerStatements(PooledServer server, Statements shared, int most) {
    this.server = server;
    this.shared = shared;
    this.most = most;
  }

  private ByteBufAllocator allocator() {
    return server.channel().alloc();
  }

  void transactionBegins() {
    transaction++;
  }

  /** How many it should have by Ebb's names. */
  int count() {
    return prepared.size();
  }

  /** Whether a statement can be bound without being prepared. */
  boolean has(Prepared statement) {
    Use use = prepared.get(statement);
    return use != null && use.epoch() == statement.epoch();
  }

  /**
   * Prepares the statement under its own name.
   *
   * @param answer whose it is: the client's, or nobody's
   */
  void prepare(Prepared statement, Awaited answer) {
    letGoOf(statement);
    shared.use(statement);
    prepared.put(statement, new Use(statement.epoch(), transaction));
    server.write(Messages.parse(allocator(), statement.name(), statement.definition()));
    server.await(answer);
    evict();
  }

  /**
   * Prepares the statement where it is not, hidden from the client.
   *
   * @return whether that is on its way, and may fail
   */
  boolean require(Prepared statement) {
    if (has(statement)) {
      prepared.computeIfPresent(
          statement,
          (key, use) -> use.transaction() == transaction ? use : new Use(use.epoch(), transaction));
      return false;
    }
    prepare(statement, Awaited.hiddenParse(statement));
    return true;
  }

  private void letGoOf(Prepared statement) {
    if (prepared.remove(statement) != null) {
      server.write(Messages.closeStatement(allocator(), statement.name()));
      server.await(Awaited.hiddenClose(statement));
      shared.release(statement);
    }
  }

  /** What this transaction has used stays: closing it would close its portals. */
  private void evict() {
    int over = prepared.size() - most;
    if (over > 0) {
      prepared.entrySet().stream()
          .filter(each -> each.getValue().transaction() != transaction)
          .limit(over)
          .map(Map.Entry::getKey)
          .toList()
          .forEach(this::letGoOf);
    }
  }

  /** A Parse of the statement will not be done. */
  void parseFailed(Prepared statement) {
    if (prepared.remove(statement) != null) {
      shared.release(statement);
    }
  }

  /** A Close of the statement will not be done. */
  void closeFailed(Prepared statement) {
    if (prepared.putIfAbsent(statement, new Use(OLD_EPOCH, transaction)) == null) {
      shared.use(statement);
    }
  }

  /** The compute says that it does not have the statement. */
  void isMissed(Prepared statement) {
    confused |= prepared.containsKey(statement);
  }

  /** The client's Parse of the unnamed statement, or a simple query that ends it, is on its way. */
  void unnamedBecomes(@Nullable Unnamed statement) {
    unnamed = statement;
  }

  /** Whether the unnamed statement is the one that this very Parse has made. */
  boolean isUnnamed(@Nullable Unnamed statement) {
    return unnamed == statement;
  }

  /** Makes the unnamed statement the client's, or none where the client has none. */
  void requireUnnamed(@Nullable Unnamed statement) {
    if (statement == null) {
      server.write(Messages.closeStatement(allocator(), NO_NAME));
      server.await(Awaited.HIDDEN_CLOSE_UNNAMED);
    } else {
      server.write(Messages.parse(allocator(), NO_NAME, statement.definition()));
      server.await(Awaited.HIDDEN_PARSE_UNNAMED);
    }
    unnamed = statement;
  }

  /** Forgets all: the compute has said that it has none, or is going to be told. */
  void clear() {
    prepared.keySet().forEach(shared::release);
    prepared.clear();
    unnamed = Unnamed.UNCERTAIN;
    confused = false;
  }

  /** Whether the compute does not have what it should have. */
  boolean isConfused() {
    return confused;
  }

  void confused() {
    confused = true;
  }
}
