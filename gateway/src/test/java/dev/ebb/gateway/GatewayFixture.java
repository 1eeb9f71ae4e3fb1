package dev.ebb.gateway;

import dev.ebb.gateway.listen.SharedPortTransport;
import dev.ebb.gateway.route.BranchDirectory;
import dev.ebb.gateway.route.Located;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Cidr;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Vertx;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.UnaryOperator;

/** A gateway in front of one real PostgreSQL. */
public final class GatewayFixture implements AutoCloseable {
  public final RealPostgres postgres;
  final Vertx vertx = Vertx.builder().withTransport(SharedPortTransport.create()).build();
  public final SimpleMeterRegistry meters = new SimpleMeterRegistry();
  public final FakeComputes computes;

  /** What the catalog says. */
  public final Map<String, BranchId> branches =
      new ConcurrentHashMap<>(
          Map.of("shop@main", FakeComputes.SHOP, "shop@dev", FakeComputes.SHOP));

  /** Where clients of a database may come from. */
  final Map<String, List<Cidr>> allowed = new ConcurrentHashMap<>();

  final GatewayService service;
  public final int port;
  public final int poolPort;
  private final String deployment;

  GatewayFixture(Path directory) {
    this(directory, config -> config);
  }

  public GatewayFixture(Path directory, UnaryOperator<GatewayConfig> configure) {
    this(RealPostgres.shared(), directory, configure);
  }

  public GatewayFixture(
      RealPostgres postgres, Path directory, UnaryOperator<GatewayConfig> configure) {
    this.postgres = postgres;
    computes = new FakeComputes(vertx, postgres);
    service =
        new GatewayService(
            new TestDirectory(), configure.apply(GatewayConfig.of(0, directory)), meters);
    deployment = Await.get(vertx.deployVerticle(service));
    port = service.port();
    poolPort = service.poolPort();
  }

  /** The maps above. */
  private final class TestDirectory implements BranchDirectory {
    @Override
    public Optional<BranchId> find(BranchAddress address) {
      return Optional.ofNullable(branches.get(address.toString()));
    }

    @Override
    public Optional<Located> locate(BranchAddress address) {
      return Optional.of(
          new Located(allowed.getOrDefault(address.database(), List.of()), () -> find(address)));
    }
  }

  String psqlTarget(String database, String user, String sslMode) {
    return "host=127.0.0.1 port=%d dbname=%s user=%s sslmode=%s"
        .formatted(port, database, user, sslMode);
  }

  Psql psql(String sql) {
    return Psql.run(RealPostgres.PASSWORD, psqlTarget("shop", "app", "disable"), "-c", sql);
  }

  Connection jdbc() throws SQLException {
    return jdbc(new Properties());
  }

  Connection jdbc(Properties extra) throws SQLException {
    return jdbc(port, extra);
  }

  /** A session that shares connections. */
  Connection pooled(Properties extra) throws SQLException {
    return jdbc(poolPort, extra);
  }

  Connection pooled() throws SQLException {
    return pooled(new Properties());
  }

  private static Connection jdbc(int port, Properties extra) throws SQLException {
    var properties = new Properties();
    properties.setProperty("user", "app");
    properties.setProperty("password", RealPostgres.PASSWORD);
    properties.setProperty("sslmode", "disable");
    properties.putAll(extra);
    return DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + port + "/shop", properties);
  }

  public double gauge(String name) {
    return meters.get(name).gauge().value();
  }

  public static boolean has(String program) {
    return Files.isExecutable(Path.of("/usr/bin/" + program));
  }

  void undeploy() {
    Await.get(vertx.undeploy(deployment));
  }

  @Override
  public void close() {
    Await.get(vertx.close());
  }
}
