package dev.ebb.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Properties;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Logins that are bound to their TLS connection, by drivers that check it. */
class GatewayChannelBindingIT {
  @TempDir Path directory;
  private GatewayFixture gateway;

  @BeforeEach
  void start() {
    gateway = new GatewayFixture(directory);
  }

  @AfterEach
  void stop() {
    gateway.close();
  }

  private Psql psql(String sslMode, String binding) {
    return Psql.run(
        RealPostgres.PASSWORD,
        gateway.psqlTarget("shop", "app", sslMode) + " channel_binding=" + binding,
        "-c",
        "SELECT 1");
  }

  @ParameterizedTest
  @ValueSource(strings = {"require", "prefer", "disable"})
  void libpqBindsOverTls(String binding) {
    assertThat(psql("require", binding)).isEqualTo(new Psql(0, "1"));
  }

  @Test
  void bindingIsOfferedOverTlsOnly() {
    assertThat(psql("disable", "prefer")).isEqualTo(new Psql(0, "1"));
    assertThat(psql("disable", "require").exit()).isEqualTo(2);
  }

  @ParameterizedTest
  @ValueSource(strings = {"SHA384withECDSA", "SHA512withRSA", "SHA256withRSAandMGF1"})
  void certificateOfAnotherHashIsBoundTo(String signature) throws Exception {
    showing(Certificates.selfSigned(signature));
    assertThat(psql("require", "require")).isEqualTo(new Psql(0, "1"));
    if (!signature.contains("MGF1")) { // which the driver does not know
      try (Connection connection = jdbc()) {
        assertThat(connection.isValid(10)).isTrue();
      }
    }
  }

  @Test
  void certificateWithoutAHashIsShownAllTheSame() {
    showing(Certificates.selfSigned("Ed25519"));
    assertThat(psql("require", "disable")).isEqualTo(new Psql(0, "1"));
    assertThat(psql("require", "require").exit()).isEqualTo(2);
  }

  @Test
  void wrongPasswordIsToldAsItIsWithoutBinding() {
    var properties = new Properties();
    properties.setProperty("sslmode", "require");
    properties.setProperty("channelBinding", "require");
    properties.setProperty("password", "wrong");
    assertThatThrownBy(() -> gateway.jdbc(properties).close())
        .isInstanceOf(SQLException.class)
        .extracting(error -> ((SQLException) error).getSQLState())
        .isEqualTo("28P01");
  }

  private Connection jdbc() throws SQLException {
    var properties = new Properties();
    properties.setProperty("sslmode", "require");
    properties.setProperty("channelBinding", "require");
    return gateway.jdbc(properties);
  }

  private void showing(Certificates shown) {
    gateway.close();
    Path certificate = shown.writeCertificate(directory.resolve("own.crt"));
    Path key = shown.writeKey(directory.resolve("own.key"));
    gateway = new GatewayFixture(directory, config -> config.withCertificate(certificate, key));
  }
}
