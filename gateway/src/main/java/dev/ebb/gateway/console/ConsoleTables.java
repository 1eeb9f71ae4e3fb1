package dev.ebb.gateway.console;

import dev.ebb.gateway.console.Answer.Column;
import dev.ebb.gateway.pool.PoolInfo;
import dev.ebb.gateway.pool.PoolMode;
import dev.ebb.gateway.pool.ServerInfo;
import dev.ebb.gateway.relay.DatabaseTraffic;
import dev.ebb.shared.model.BranchAddress;
import io.vertx.core.Future;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** What {@code SHOW} shows. For any thread. */
final class ConsoleTables {
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss 'UTC'", Locale.ROOT)
          .withZone(ZoneOffset.UTC);
  private static final String MAIN = "@" + BranchAddress.MAIN;

  private final GatewayView gateway;
  private final Map<String, Answer.Table> byName = new LinkedHashMap<>();

  ConsoleTables(GatewayView gateway) {
    this.gateway = gateway;
    put("help", columns("command", "does"), () -> done(help()));
    put(
        "pools",
        columns(
            "database",
            "user",
            "cl_active:n",
            "cl_waiting:n",
            "sv_active:n",
            "sv_idle:n",
            "sv_login:n",
            "maxwait:n",
            "maxwait_us:n",
            "pool_mode",
            "paused:b"),
        this::pools);
    put(
        "clients",
        columns(
            "type",
            "id:n",
            "user",
            "database",
            "mode",
            "state",
            "addr",
            "port:n",
            "connect_time",
            "wait:n",
            "wait_us:n",
            "xact_count:n",
            "query_count:n",
            "remote_pid:n",
            "tls",
            "application_name",
            "prepared_statements:n",
            "pinned:b"),
        this::clients);
    put(
        "servers",
        columns(
            "type",
            "user",
            "database",
            "mode",
            "state",
            "addr",
            "port:n",
            "connect_time",
            "link:n",
            "remote_pid:n",
            "prepared_statements:n"),
        this::servers);
    put(
        "stats",
        columns(
            "database",
            "total_xact_count:n",
            "total_query_count:n",
            "total_received:n",
            "total_sent:n",
            "total_query_time:n",
            "total_wait_time:n"),
        () -> done(stats()));
    put(
        "databases",
        columns(
            "name",
            "host",
            "port:n",
            "database",
            "current_clients:n",
            "current_connections:n",
            "paused:b"),
        this::databases);
    put(
        "config",
        columns("key", "value", "default", "changeable"),
        () -> done(gateway.settings().stream().map(ConsoleTables::setting).toList()));
    put("version", columns("version"), () -> done(List.of(row(Console.VERSION))));
    put("lists", columns("list", "items:n"), this::lists);
  }

  /** The table of a name in lower case. */
  Optional<Answer.Table> find(String name) {
    return Optional.ofNullable(byName.get(name));
  }

  /** A branch as its clients name it: without {@code @main}. */
  static String shown(String address) {
    return address.endsWith(MAIN)
        ? address.substring(0, address.length() - MAIN.length())
        : address;
  }

  private void put(String name, List<Column> columns, Supplier<Future<List<Answer.Row>>> rows) {
    byName.put(name, new Answer.Table(columns, rows));
  }

  /** Names; {@code :n} is a number, {@code :b} a truth value. */
  private static List<Column> columns(String... names) {
    return Arrays.stream(names)
        .map(name ->
            name.endsWith(":n")
                ? new Column(name.substring(0, name.length() - 2), ColumnType.BIGINT)
                : name.endsWith(":b")
                    ? new Column(name.substring(0, name.length() - 2), ColumnType.BOOLEAN)
                    : new Column(name, ColumnType.TEXT))
        .toList();
  }

  private static Answer.Row row(@Nullable Object... values) {
    var row = new ArrayList<@Nullable Object>(values.length);
    for (Object value : values) {
      row.add(value instanceof Integer number ? Long.valueOf(number) : value);
    }
    return new Answer.Row(row);
  }

  private static Future<List<Answer.Row>> done(List<Answer.Row> rows) {
    return Future.succeededFuture(rows);
  }

  private static List<Answer.Row> help() {
    return List.of(
        row("SHOW HELP", "this"),
        row("SHOW POOLS", "connections to computes and who waits for them, by database and role"),
        row("SHOW CLIENTS", "every client; the ids are what KILL takes"),
        row("SHOW SERVERS", "every connection to a compute"),
        row("SHOW STATS", "sums since the start by database; times in microseconds"),
        row("SHOW DATABASES", "branches in use, and those that are paused"),
        row("SHOW CONFIG", "what is configured, without secrets"),
        row("SHOW LISTS", "counts of everything"),
        row("SHOW VERSION", "which Ebb this is"),
        row(
            "PAUSE [database[@branch]]",
            "transactions wait from now on; answers when none runs any more. Clients that share"
                + " connections, and new ones; sessions with their own go on"),
        row("RESUME [database[@branch]]", "they go on"),
        row("KILL id", "ends a client"),
        row("KILL database[@branch]", "ends all its clients and connections; new ones wait"),
        row("RELOAD", "reads the TLS files again"));
  }

  private Future<List<Answer.Row>> pools() {
    return gateway
        .pools()
        .compose(pools ->
            gateway
                .clients()
                .map(clients -> {
                  var sums = new LinkedHashMap<List<String>, PoolSum>();
                  for (PoolInfo pool : pools) {
                    sums.computeIfAbsent(
                            List.of(pool.address(), pool.user(), mode(pool)), key -> new PoolSum())
                        .add(pool);
                  }
                  for (ClientInfo client : clients) {
                    if (client.mode().equals("session")) {
                      sums.computeIfAbsent(
                              List.of(client.database(), client.user(), "session"),
                              key -> new PoolSum())
                          .add(client);
                    }
                  }
                  return sums.entrySet().stream()
                      .sorted(Map.Entry.comparingByKey(Comparator.comparing(String::valueOf)))
                      .map(each -> each.getValue().row(each.getKey(), gateway))
                      .toList();
                }));
  }

  /** Those of sessions with connections of their own are called {@code session}. */
  private static String mode(PoolInfo pool) {
    return pool.mode() == PoolMode.TRANSACTION ? "transaction" : "pooled session";
  }

  /** The pools of a database and a role, of all event loops and all settings. */
  private static final class PoolSum {
    private int clients;
    private int waiting;
    private int active;
    private int idle;
    private int opening;
    private long maxWaitNanos;

    void add(PoolInfo pool) {
      clients += pool.clients();
      waiting += pool.waiting();
      active += pool.active();
      idle += pool.servers().size() - pool.active();
      opening += pool.opening();
      maxWaitNanos = Math.max(maxWaitNanos, pool.maxWaitNanos());
    }

    void add(ClientInfo client) {
      clients++;
      if (client.compute() == null) {
        opening++;
      } else {
        active++;
      }
    }

    Answer.Row row(List<String> key, GatewayView gateway) {
      return ConsoleTables.row(
          shown(key.get(0)),
          key.get(1),
          clients - waiting,
          waiting,
          active,
          idle,
          opening,
          seconds(maxWaitNanos),
          microseconds(maxWaitNanos),
          key.get(2),
          gateway.pauses().isPaused(key.get(0)));
    }
  }

  /** As PgBouncer has it: whole seconds, and the rest of one in microseconds. */
  private static long seconds(long nanos) {
    return nanos / 1_000_000_000;
  }

  private static long microseconds(long nanos) {
    return nanos % 1_000_000_000 / 1_000;
  }

  private Future<List<Answer.Row>> clients() {
    return gateway
        .clients()
        .map(clients ->
            clients.stream()
                .sorted(Comparator.comparingLong(ClientInfo::id))
                .map(ConsoleTables::client)
                .toList());
  }

  private static Answer.Row client(ClientInfo client) {
    return row(
        "C",
        client.id(),
        client.user(),
        shown(client.database()),
        client.mode(),
        client.state(),
        client.address(),
        client.port(),
        time(client.connectedEpochMs()),
        seconds(client.waitNanos()),
        microseconds(client.waitNanos()),
        client.transactions(),
        client.statements(),
        client.server() == 0 ? null : (long) client.server(),
        client.tls(),
        client.applicationName(),
        client.preparedStatements(),
        client.pinned());
  }

  private static String time(long epochMs) {
    return TIME.format(Instant.ofEpochMilli(epochMs));
  }

  private Future<List<Answer.Row>> servers() {
    return gateway
        .pools()
        .compose(pools ->
            gateway
                .clients()
                .map(clients -> {
                  var rows = new ArrayList<Answer.Row>();
                  pools.stream()
                      .flatMap(pool -> pool.servers().stream())
                      .forEach(server -> rows.add(pooled(server)));
                  clients.stream()
                      .filter(client -> client.compute() != null)
                      .forEach(client -> rows.add(own(client)));
                  return rows;
                }));
  }

  private static Answer.Row pooled(ServerInfo server) {
    return row(
        "S",
        server.user(),
        shown(server.address()),
        "transaction",
        server.active() ? "active" : "idle",
        server.host(),
        server.port(),
        time(server.openedEpochMs()),
        server.client() == 0 ? null : server.client(),
        server.processId(),
        server.preparedStatements());
  }

  private static Answer.Row own(ClientInfo client) {
    ClientInfo.Compute compute = client.compute();
    return row(
        "S",
        client.user(),
        shown(client.database()),
        "session",
        client.state(),
        compute == null ? null : compute.host(),
        compute == null ? null : compute.port(),
        time(client.connectedEpochMs()),
        client.id(),
        client.server(),
        null);
  }

  private List<Answer.Row> stats() {
    return gateway.databases().stream()
        .sorted(Comparator.comparing(DatabaseTraffic::database))
        .map(each -> {
          DatabaseTraffic.Totals totals = each.totals();
          return row(
              each.database(),
              totals.transactions(),
              totals.statements(),
              totals.received(),
              totals.sent(),
              totals.statementNanos() / 1_000,
              totals.waitNanos() / 1_000);
        })
        .toList();
  }

  private Future<List<Answer.Row>> databases() {
    return gateway
        .pools()
        .compose(pools -> gateway.clients().map(clients -> databases(pools, clients)));
  }

  private List<Answer.Row> databases(Collection<PoolInfo> pools, Collection<ClientInfo> clients) {
    var names = new TreeSet<>(gateway.pauses().addresses());
    pools.forEach(pool -> names.add(pool.address()));
    clients.stream()
        .filter(ConsoleTables::isOfDatabase)
        .forEach(client -> names.add(client.database()));
    return names.stream().map(name -> database(name, pools, clients)).toList();
  }

  private static boolean isOfDatabase(ClientInfo client) {
    return client.mode().equals("session") || client.mode().equals("transaction");
  }

  private Answer.Row database(
      String name, Collection<PoolInfo> pools, Collection<ClientInfo> clients) {
    List<ServerInfo> servers =
        pools.stream()
            .filter(pool -> pool.address().equals(name))
            .flatMap(pool -> pool.servers().stream())
            .toList();
    List<ClientInfo> own =
        clients.stream()
            .filter(client -> isOfDatabase(client) && client.database().equals(name))
            .toList();
    List<ClientInfo.Compute> computes = new ArrayList<>();
    servers.forEach(each -> computes.add(new ClientInfo.Compute(each.host(), each.port())));
    for (ClientInfo client : own) {
      ClientInfo.Compute compute = client.compute();
      if (compute != null) {
        computes.add(compute);
      }
    }
    return row(
        shown(name),
        computes.isEmpty() ? null : computes.getFirst().host(),
        computes.isEmpty() ? null : computes.getFirst().port(),
        BranchAddress.parse(name).database(),
        own.size(),
        computes.size(),
        gateway.pauses().isPaused(name));
  }

  private static Answer.Row setting(GatewayView.Setting setting) {
    return row(
        setting.name(),
        setting.value(),
        setting.defaultValue(),
        setting.changeable() ? "yes" : "no");
  }

  private Future<List<Answer.Row>> lists() {
    return gateway
        .pools()
        .compose(pools -> gateway.clients().map(clients -> lists(pools, clients)));
  }

  private List<Answer.Row> lists(Collection<PoolInfo> pools, Collection<ClientInfo> clients) {
    long users =
        clients.stream()
            .filter(ConsoleTables::isOfDatabase)
            .map(ClientInfo::user)
            .distinct()
            .count();
    long logins = clients.stream().filter(client -> client.mode().equals("login")).count();
    long own = clients.stream().filter(client -> client.compute() != null).count();
    int active = pools.stream().mapToInt(PoolInfo::active).sum();
    int all = pools.stream().mapToInt(pool -> pool.servers().size()).sum();
    return List.of(
        row("databases", databases(pools, clients).size()),
        row("users", users),
        row("pools", pools.size()),
        row("login_clients", logins),
        row("used_clients", clients.size() - logins),
        row("waiting_clients", pools.stream().mapToInt(PoolInfo::waiting).sum()),
        row("used_servers", active + own),
        row("free_servers", all - active));
  }
}
