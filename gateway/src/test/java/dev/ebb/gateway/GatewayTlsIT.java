package dev.ebb.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.gateway.limit.LimitRates;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.Connection;
import java.util.Properties;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Certificates of the gateway and of clients, and names of servers. */
class GatewayTlsIT {
  private static final String DOMAIN = "db.example.com";
  private static final Certificates CLIENTS = Certificates.authority("clients");

  @TempDir Path directory;
  private @Nullable GatewayFixture open;

  @AfterEach
  void stop() {
    if (open != null) {
      open.close();
    }
  }

  private GatewayFixture gateway(UnaryOperator<GatewayConfig> configure) {
    var gateway = new GatewayFixture(directory, configure);
    open = gateway;
    return gateway;
  }

  private static Psql psql(GatewayFixture gateway, String more) {
    return Psql.run(
        RealPostgres.PASSWORD,
        "hostaddr=127.0.0.1 port=%d user=app %s".formatted(gateway.port, more),
        "-c",
        "SELECT current_database()");
  }

  private Path file(String name) {
    return directory.resolve(name);
  }

  /** As tools renew certificates: whole files, one behind the other. */
  private void install(Certificates certificates) throws IOException {
    certificates.writeCertificate(file("new.crt"));
    Files.move(file("new.crt"), file("own.crt"), StandardCopyOption.REPLACE_EXISTING);
    certificates.writeKey(file("new.key"));
    Files.move(file("new.key"), file("own.key"), StandardCopyOption.REPLACE_EXISTING);
  }

  private Psql verifying(GatewayFixture gateway, Certificates expected) {
    Path root = expected.writeCertificate(file("root.crt"));
    return psql(
        gateway,
        "host=localhost dbname=shop sslmode=verify-full channel_binding=require sslrootcert="
            + root);
  }

  private static double reloads(GatewayFixture gateway, String outcome) {
    var counter =
        gateway.meters.find("ebb.gateway.certificate.reloads").tag("outcome", outcome).counter();
    return counter == null ? 0 : counter.count();
  }

  @Test
  void renewedCertificateIsShownWithoutARestartAndABrokenOneIsNot() throws Exception {
    Certificates first = Certificates.selfSigned("SHA256withECDSA");
    install(first);
    GatewayFixture gateway =
        gateway(config -> config.withCertificate(file("own.crt"), file("own.key")));
    assertThat(verifying(gateway, first)).isEqualTo(new Psql(0, "shop"));

    try (Connection before = tls(gateway)) {
      Certificates second = Certificates.selfSigned("SHA384withRSA");
      install(second);
      Await.until("the second certificate", () -> verifying(gateway, second).exit() == 0);
      assertThat(before.isValid(10)).as("a session of before").isTrue();
      assertThat(verifying(gateway, first).exit()).as("expects the first").isEqualTo(2);
      assertThat(reloads(gateway, "ok")).isPositive();

      // Between the two files of a slow machine there may have been a pair that does not fit.
      double failed = reloads(gateway, "failed");
      first.writeKey(file("own.key"));
      Await.until("the wrong key to be noticed", () -> reloads(gateway, "failed") > failed);
      assertThat(verifying(gateway, second)).isEqualTo(new Psql(0, "shop"));

      double failedAgain = reloads(gateway, "failed");
      Files.writeString(file("own.crt"), "nonsense");
      Await.until("the nonsense to be noticed", () -> reloads(gateway, "failed") > failedAgain);
      assertThat(verifying(gateway, second)).isEqualTo(new Psql(0, "shop"));

      first.writeCertificate(file("own.crt"));
      Await.until("the first certificate", () -> verifying(gateway, first).exit() == 0);
      assertThat(gateway.meters.get("ebb.gateway.certificate.expiry").timeGauge().value())
          .isCloseTo(
              first.certificate().getNotAfter().toInstant().toEpochMilli() / 1000.0,
              org.assertj.core.data.Offset.offset(1.0));
    }
  }

  private static Connection tls(GatewayFixture gateway) throws Exception {
    var properties = new Properties();
    properties.setProperty("sslmode", "require");
    return gateway.jdbc(properties);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "host=shop.db.example.com|shop",
        "host=dev--shop.db.example.com|shop",
        "host=dev--shop.db.example.com dbname=shop|shop",
        "host=nosuch--shop.db.example.com dbname=shop@dev|shop",
        "host=other.db.example.com dbname=shop|shop",
        "host=other.example.com dbname=shop|shop"
      })
  void branchIsNamedByTheServersName(String target, String database) {
    GatewayFixture gateway = gateway(GatewayTlsIT::withDomain);
    assertThat(psql(gateway, target + " sslmode=require")).isEqualTo(new Psql(0, database));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "host=nosuch--shop.db.example.com|shop@nosuch",
        "host=nosuch--shop.db.example.com dbname=shop|shop@nosuch",
        "host=other.db.example.com|other",
        "host=shop.example.com|app"
      })
  void nameThatMeansNoBranchIsToldAsAnyOther(String target, String database) {
    GatewayFixture gateway = gateway(GatewayTlsIT::withDomain);
    assertThat(psql(gateway, target + " sslmode=require").output())
        .contains("database \"" + database + "\" does not exist");
  }

  @Test
  void branchOfTheServersNameIsTheOneThatIsConnectedTo() {
    GatewayFixture gateway = gateway(GatewayTlsIT::withDomain);
    psql(gateway, "host=dev--shop.db.example.com sslmode=require");
    assertThat(gateway.computes.connects.getLast().calledAs()).hasToString("shop@dev");
  }

  private static GatewayConfig withDomain(GatewayConfig config) {
    return config.with(new GatewayAccess(DOMAIN, null, false, null, LimitRates.DEFAULTS));
  }

  private GatewayFixture takingCertificates(boolean required) {
    Path authority = CLIENTS.writeCertificate(file("clients.crt"));
    return gateway(config ->
        config.with(new GatewayAccess(null, authority, required, null, LimitRates.DEFAULTS)));
  }

  private Psql showing(GatewayFixture gateway, Certificates shown) {
    Path certificate = shown.writeCertificate(file("client.crt"));
    Path key = shown.writeKey(file("client.key"));
    return psql(
        gateway,
        "host=localhost dbname=shop sslmode=require sslcert=" + certificate + " sslkey=" + key);
  }

  @Test
  void certificateThatIsRequiredMustBeTheRoles() {
    GatewayFixture gateway = takingCertificates(true);
    assertThat(showing(gateway, CLIENTS.issue("CN=app"))).isEqualTo(new Psql(0, "shop"));
    assertThat(showing(gateway, CLIENTS.issue("O=Ebb,CN=app,OU=x"))).isEqualTo(new Psql(0, "shop"));
    for (String subject : new String[] {"CN=other", "O=app", "CN=app,CN=other", "CN=APP"}) {
      assertThat(showing(gateway, CLIENTS.issue(subject)).output())
          .as(subject)
          .contains("certificate authentication failed for user \"app\"");
    }
    assertThat(psql(gateway, "host=localhost dbname=shop sslmode=require").output())
        .contains("connection requires a valid client certificate");
    assertThat(psql(gateway, "host=localhost dbname=shop sslmode=disable").output())
        .contains("connection requires a valid client certificate");
    assertThat(gateway.computes.lookups).as("only for those who may try").hasValue(2);
  }

  @Test
  void certificateOfAnotherAuthorityIsRefusedByTls() {
    GatewayFixture gateway = takingCertificates(false);
    Psql refused = showing(gateway, Certificates.authority("others").issue("CN=app"));
    assertThat(refused.exit()).isEqualTo(2);
    assertThat(gateway.computes.lookups).hasValue(0);
  }

  @Test
  void certificateIsNoPassword() {
    GatewayFixture gateway = takingCertificates(true);
    Certificates app = CLIENTS.issue("CN=app");
    Path certificate = app.writeCertificate(file("client.crt"));
    Path key = app.writeKey(file("client.key"));
    var psql =
        Psql.run(
            "wrong",
            gateway.psqlTarget("shop", "app", "require")
                + " sslcert="
                + certificate
                + " sslkey="
                + key,
            "-c",
            "SELECT 1");
    assertThat(psql.output()).contains("password authentication failed for user \"app\"");
  }

  @Test
  void certificateThatIsNotRequiredMustBeRightWhereItIsShown() {
    GatewayFixture gateway = takingCertificates(false);
    assertThat(psql(gateway, "host=localhost dbname=shop sslmode=disable"))
        .isEqualTo(new Psql(0, "shop"));
    assertThat(psql(gateway, "host=localhost dbname=shop sslmode=require"))
        .isEqualTo(new Psql(0, "shop"));
    assertThat(showing(gateway, CLIENTS.issue("CN=app"))).isEqualTo(new Psql(0, "shop"));
    assertThat(showing(gateway, CLIENTS.issue("CN=other")).output())
        .contains("certificate authentication failed");
  }
}
