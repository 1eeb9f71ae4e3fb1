package dev.ebb.gateway.auth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.ongres.scram.client.ScramClient;
import dev.ebb.gateway.Certificates;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.RoleState;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.scram.EndPointBinding;
import dev.ebb.shared.scram.ScramExchange;
import dev.ebb.shared.scram.ScramExchange.Proven;
import dev.ebb.shared.scram.ScramExchange.Rejected;
import dev.ebb.shared.scram.ScramVerifier;
import dev.ebb.shared.scram.ScramViolation;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ScramExchangeTest {
  private static final BranchId BRANCH = new BranchId("b");
  private static final long NOW = 1_000_000;

  private final ScramVerifier verifier = ScramVerifier.of(new Secret("pencil"));
  private final LoginRules rules = rules(new byte[] {1, 2, 3});

  private static LoginRules rules(byte[] secret) {
    return new LoginRules(
        secret, new SecureRandom(), Clock.fixed(Instant.ofEpochMilli(NOW), ZoneOffset.UTC));
  }

  private ScramExchange exchange() {
    return new ScramExchange(verifier, false, rules::nonce);
  }

  private static ScramExchange.Outcome login(ScramExchange exchange, String password)
      throws Exception {
    ScramClient client =
        ScramClient.builder()
            .advertisedMechanisms(List.of("SCRAM-SHA-256"))
            .username("*")
            .password(password.toCharArray())
            .build();
    client.serverFirstMessage(exchange.first(client.clientFirstMessage().toString()));
    var outcome = exchange.last(client.clientFinalMessage().toString());
    if (outcome instanceof Proven proven) {
      client.serverFinalMessage(proven.serverFinal());
    }
    return outcome;
  }

  /** RFC 7677, section 3. */
  @Test
  void exampleOfTheStandardGivesItsMessages() {
    byte[] salt = Base64.getDecoder().decode("W22ZaJ0SNY7soEsUEjb6gQ==");
    var exchange =
        new ScramExchange(
            ScramVerifier.of(new Secret("pencil"), salt, 4096),
            false,
            () -> "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
    assertThat(exchange.first("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"))
        .isEqualTo(
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                + "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    var outcome =
        exchange.last(
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                + "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    assertThat(((Proven) outcome).serverFinal())
        .isEqualTo("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  }

  @Test
  void rightPasswordIsProvenAndWrongOneRejected() throws Exception {
    assertThat(login(exchange(), "pencil")).isInstanceOf(Proven.class);
    assertThat(login(exchange(), "Pencil")).isEqualTo(new Rejected());
  }

  @Test
  void keysFromTheProofLogInWhereTheSameVerifierIsKept() throws Exception {
    var proven = (Proven) login(exchange(), "pencil");
    var backend = new BackendScram(proven.keys(), rules::nonce);
    var server = exchange();
    String last = Objects.requireNonNull(backend.last(server.first(backend.first())));
    var outcome = (Proven) server.last(last);
    assertThat(backend.isServerProven(outcome.serverFinal())).isTrue();
    assertThat(backend.isServerProven("v=AAAA")).isFalse();
  }

  @Test
  void keysDoNotFitAVerifierWithAnotherSalt() throws Exception {
    var proven = (Proven) login(exchange(), "pencil");
    var backend = new BackendScram(proven.keys(), rules::nonce);
    var changed = new ScramExchange(ScramVerifier.of(new Secret("pencil")), false, rules::nonce);
    assertThat(backend.last(changed.first(backend.first()))).isNull();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "n,,",
        "x,,n=,r=abc",
        "p=tls-server-end-point,,n=,r=abc",
        "n,a=other,n=,r=abc",
        "n,,m=ext,n=,r=abc",
        "n,,n=,r=",
        "n,,n=,r=a b"
      })
  void malformedFirstMessageIsRefused(String message) {
    assertThatThrownBy(() -> exchange().first(message)).isInstanceOf(ScramViolation.class);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "c=biws,r=abcXX",
        "c=biws,r=abcYY,p=AAAA",
        "c=eSws,r=abcXX,p=AAAA",
        "c=biws,r=abcXX,p=AAAA",
        "c=biws,r=abcXX,p=!!!!",
        "c=biws,r=abcXX,p=="
      })
  void malformedLastMessageIsRefused(String message) {
    var exchange = new ScramExchange(verifier, false, () -> "XX");
    exchange.first("n,,n=,r=abc");
    assertThatThrownBy(() -> exchange.last(message)).isInstanceOf(ScramViolation.class);
  }

  @Test
  void rolesThatCannotLogInLookLikeOthersAndAreRejected() throws Exception {
    for (RoleState state :
        new @Nullable RoleState[] {
          null,
          role(true, null, Long.MAX_VALUE),
          role(true, new Secret("md5d41d8cd98f00b204e9800998ecf8427e"), Long.MAX_VALUE),
          role(true, verifier.stored(), NOW)
        }) {
      var exchange = rules.exchange(BRANCH, "app", state, null);
      assertThat(login(exchange, "pencil")).isEqualTo(new Rejected());
    }
    var open = role(true, verifier.stored(), NOW + 1);
    var mayNot = role(false, verifier.stored(), Long.MAX_VALUE);
    assertThat(login(rules.exchange(BRANCH, "app", mayNot, null), "pencil"))
        .as("is told so behind its proof")
        .isInstanceOf(Proven.class);
    assertThat(login(rules.exchange(BRANCH, "app", open, null), "pencil"))
        .isInstanceOf(Proven.class);
    assertThat(login(rules.exchange(BRANCH, "ebb_admin", open, null), "pencil"))
        .isEqualTo(new Rejected());
  }

  private static RoleState role(boolean canLogin, @Nullable Secret verifier, long validUntil) {
    return new RoleState("app", verifier, canLogin, false, false, -1, validUntil);
  }

  @Test
  void fakeSaltsAreTheSameEveryTimeAndDifferByRole() {
    assertThat(fakeSalt(rules, "a")).isEqualTo(fakeSalt(rules(new byte[] {1, 2, 3}), "a"));
    assertThat(fakeSalt(rules, "a")).isNotEqualTo(fakeSalt(rules, "b"));
    assertThat(fakeSalt(rules, "a")).isNotEqualTo(fakeSalt(rules(new byte[] {4}), "a"));
  }

  private static String fakeSalt(LoginRules rules, String role) {
    String first = rules.exchange(BRANCH, role, null, null).first("n,,n=,r=abc");
    return first.substring(first.indexOf(",s="));
  }

  private static final EndPointBinding BINDING =
      EndPointBinding.of(Certificates.selfSigned("SHA256withECDSA").certificate()).orElseThrow();

  private ScramExchange boundExchange() {
    return new ScramExchange(verifier, false, () -> "XX", BINDING);
  }

  private static ScramExchange.Outcome login(ScramExchange exchange, byte[] binding)
      throws Exception {
    ScramClient client =
        ScramClient.builder()
            .advertisedMechanisms(exchange.mechanisms())
            .username("*")
            .password("pencil".toCharArray())
            .channelBinding("tls-server-end-point", binding)
            .build();
    String first = client.clientFirstMessage().toString();
    client.serverFirstMessage(exchange.first(client.getScramMechanism().getName(), first));
    var outcome = exchange.last(client.clientFinalMessage().toString());
    if (outcome instanceof Proven proven) {
      client.serverFinalMessage(proven.serverFinal());
    }
    return outcome;
  }

  @Test
  void bindingIsOfferedFirstAndOnlyWhereThereIsAnythingToBindTo() {
    assertThat(boundExchange().mechanisms()).containsExactly("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256");
    assertThat(exchange().mechanisms()).containsExactly("SCRAM-SHA-256");
    assertThatThrownBy(() -> exchange().first("SCRAM-SHA-256-PLUS", BOUND + "n=,r=abc"))
        .isInstanceOf(ScramViolation.class);
  }

  @Test
  void clientThatSeesTheSameCertificateIsProven() throws Exception {
    assertThat(login(boundExchange(), BINDING.hash())).isInstanceOf(Proven.class);
  }

  @Test
  void clientThatSeesAnotherCertificateIsRefused() {
    byte[] other =
        EndPointBinding.of(Certificates.selfSigned("SHA256withECDSA").certificate())
            .orElseThrow()
            .hash();
    assertThatThrownBy(() -> login(boundExchange(), other))
        .isInstanceOf(ScramViolation.class)
        .hasMessage("SCRAM channel binding check failed")
        .extracting(error -> ((ScramViolation) error).isRefusal())
        .isEqualTo(true);
  }

  @Test
  void clientThatWasNotToldOfTheBindingIsRefused() {
    assertThatThrownBy(() -> boundExchange().first("SCRAM-SHA-256", "y,,n=,r=abc"))
        .isInstanceOf(ScramViolation.class)
        .hasMessageContaining("channel binding negotiation error")
        .extracting(error -> ((ScramViolation) error).isRefusal())
        .isEqualTo(true);
    assertThat(exchange().first("SCRAM-SHA-256", "y,,n=,r=abc")).startsWith("r=abc");
    assertThat(boundExchange().first("SCRAM-SHA-256", "n,,n=,r=abc")).startsWith("r=abc");
  }

  private static final String BOUND = "p=tls-server-end-point,,";

  @Test
  void messageThatDoesNotFitItsMechanismIsRefused() {
    for (String message : List.of("n,,n=,r=abc", "y,,n=,r=abc", "p=tls-unique,,n=,r=abc")) {
      assertThatThrownBy(() -> boundExchange().first("SCRAM-SHA-256-PLUS", message))
          .isInstanceOf(ScramViolation.class);
    }
    assertThatThrownBy(() -> boundExchange().first("SCRAM-SHA-256", BOUND + "n=,r=abc"))
        .isInstanceOf(ScramViolation.class);
    assertThatThrownBy(() -> boundExchange().first("SCRAM-SHA-1", "n,,n=,r=abc"))
        .isInstanceOf(ScramViolation.class);
  }

  @Test
  void secretsDoNotPrint() throws Exception {
    var proven = (Proven) login(exchange(), "pencil");
    assertThat(proven.toString() + proven.keys()).isEqualTo("Proven[***]ScramKeys[***]");
  }
}
