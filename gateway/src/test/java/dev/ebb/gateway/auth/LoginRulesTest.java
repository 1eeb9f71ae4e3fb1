package dev.ebb.gateway.auth;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.gateway.protocol.ErrorResponse;
import dev.ebb.shared.model.DatabaseAccess;
import dev.ebb.shared.model.RoleState;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class LoginRulesTest {
  private static RoleState role(boolean canLogin, boolean superuser, int limit) {
    return new RoleState("r", null, canLogin, superuser, false, limit, Long.MAX_VALUE);
  }

  private static DatabaseAccess access(boolean allowsConnections, int limit, String... refused) {
    return new DatabaseAccess("d", allowsConnections, limit, List.of(refused));
  }

  private static String refusal(RoleState role, @Nullable DatabaseAccess access) {
    Optional<ErrorResponse> refusal = LoginRules.refusal(role, access);
    return refusal.map(error -> error.sqlState() + " " + error.message()).orElse("");
  }

  @Test
  void reasonsAreToldInPostgresqlsOrder() {
    DatabaseAccess closed = access(false, 0, "r");
    assertThat(refusal(role(false, false, 0), closed))
        .isEqualTo("28000 role \"r\" is not permitted to log in");
    assertThat(refusal(role(true, false, 0), closed))
        .isEqualTo("53300 too many connections for role \"r\"");
    assertThat(refusal(role(true, false, 1), closed))
        .isEqualTo("55000 database \"d\" is not currently accepting connections");
    assertThat(refusal(role(true, false, -1), access(true, 0, "r")))
        .isEqualTo("42501 permission denied for database \"d\"");
    assertThat(refusal(role(true, false, -1), access(true, 0, "other")))
        .isEqualTo("53300 too many connections for database \"d\"");
    assertThat(refusal(role(true, false, -1), access(true, 1, "other"))).isEmpty();
    assertThat(refusal(role(true, false, -1), null)).isEmpty();
  }

  @Test
  void superusersAreKeptOutOnlyWhereEverybodyIs() {
    assertThat(refusal(role(true, true, 0), access(true, 0, "r"))).isEmpty();
    assertThat(refusal(role(true, true, 0), access(false, -1))).startsWith("55000");
  }
}
