package dev.ebb.gateway;

import dev.ebb.gateway.console.GatewayView.Setting;
import dev.ebb.gateway.limit.Rate;
import dev.ebb.gateway.pool.PoolConfig;
import dev.ebb.gateway.pool.PoolTerms;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** A gateway's configuration in words, as the configuration file has them; no secrets. */
final class GatewaySettings {
  private final List<Setting> settings = new ArrayList<>();

  private GatewaySettings() {}

  static List<Setting> of(GatewayConfig config) {
    var all = new GatewaySettings();
    var defaults = GatewayConfig.of(6432, config.tlsDirectory());
    all.add("gateway.host", config.host(), defaults.host());
    all.add("gateway.port", config.port(), 6432);
    all.add("gateway.requireTls", config.requireTls(), false);
    all.reloadable("gateway.tls.certificate", config.certificateFile());
    all.reloadable("gateway.tls.privateKey", config.keyFile());
    all.add("gateway.maxConnections", config.maxConnections(), defaults.maxConnections());
    all.add("login timeout, ms", config.loginTimeoutMs(), defaults.loginTimeoutMs());
    all.add("wake timeout, ms", config.wakeTimeoutMs(), defaults.wakeTimeoutMs());
    all.add("unauthenticated clients", config.maxUnauthenticated(), defaults.maxUnauthenticated());
    all.access(config.access());
    all.pool(config.poolPort(), config.pool());
    all.operations(config.operations());
    return List.copyOf(all.settings);
  }

  private void add(String name, @Nullable Object value, @Nullable Object defaultValue) {
    settings.add(new Setting(name, text(value), text(defaultValue), false));
  }

  private void reloadable(String name, @Nullable Object value) {
    settings.add(new Setting(name, text(value), "", true));
  }

  private static String text(@Nullable Object value) {
    return value == null ? "" : value.toString();
  }

  private void access(GatewayAccess access) {
    add("gateway.domain", access.domain(), null);
    reloadable("gateway.clientCaFile", access.clientCaFile());
    add("gateway.requireClientCertificate", access.requireClientCertificate(), false);
    add("gateway.computeCaFile", access.computeCaFile(), null);
    var limits = access.limits();
    var defaults = GatewayAccess.DEFAULTS.limits();
    String prefix = "gateway.limits.";
    rate(
        prefix + "connectionsPerAddress",
        limits.connectionsPerAddress(),
        defaults.connectionsPerAddress());
    rate(
        prefix + "connectionsPerDatabase",
        limits.connectionsPerDatabase(),
        defaults.connectionsPerDatabase());
    rate(
        prefix + "failedLoginsPerAddress",
        limits.failedLoginsPerAddress(),
        defaults.failedLoginsPerAddress());
    rate(
        prefix + "failedLoginsPerDatabase",
        limits.failedLoginsPerDatabase(),
        defaults.failedLoginsPerDatabase());
    rate(prefix + "wakesPerAddress", limits.wakesPerAddress(), defaults.wakesPerAddress());
    rate(prefix + "wakesPerDatabase", limits.wakesPerDatabase(), defaults.wakesPerDatabase());
  }

  private void rate(String name, Rate value, Rate defaultValue) {
    add(name, shown(value), shown(defaultValue));
  }

  private static String shown(Rate rate) {
    return rate.count() == 0 ? "unlimited" : rate.count() + " in " + rate.per().toSeconds() + "s";
  }

  private void pool(int port, PoolConfig pool) {
    var defaults = PoolConfig.DEFAULT;
    String prefix = "gateway.pool.";
    add(prefix + "port", port < 0 ? "" : port, "");
    add(prefix + "mode", mode(pool.terms()), mode(defaults.terms()));
    add(prefix + "size", pool.terms().size(), defaults.terms().size());
    add(prefix + "rules", pool.rules().size(), 0);
    add(prefix + "maxPerBranch", pool.maxPerBranch(), defaults.maxPerBranch());
    add(prefix + "maxInAll", pool.maxInAll(), defaults.maxInAll());
    add(prefix + "minimum", pool.terms().minimum(), defaults.terms().minimum());
    add(prefix + "waitTimeout", ms(pool.waitTimeoutMs()), ms(defaults.waitTimeoutMs()));
    add(prefix + "idleTimeout", ms(pool.idleTimeoutMs()), ms(defaults.idleTimeoutMs()));
    add(prefix + "lifetime", ms(pool.lifetimeMs()), ms(defaults.lifetimeMs()));
    add(
        prefix + "maxPreparedStatements",
        pool.maxPreparedStatements(),
        defaults.maxPreparedStatements());
  }

  private static String mode(PoolTerms terms) {
    return terms.mode().name().toLowerCase(Locale.ROOT);
  }

  private void operations(GatewayOperations operations) {
    var defaults = GatewayOperations.DEFAULTS;
    add("gateway.drainTimeout", ms(operations.drainTimeoutMs()), ms(defaults.drainTimeoutMs()));
    add("gateway.sharePort", operations.sharePort(), defaults.sharePort());
  }

  private static String ms(long value) {
    return value + "ms";
  }
}
