package dev.ebb.computeservice.postgres;

import java.nio.file.Path;

/**
 * What a compute shows to those who ask for TLS. PEM files, read by PostgreSQL itself: the key must
 * be readable by its OS user and by nobody else ({@code check_ssl_key_file_permissions} in {@code
 * be-secure-common.c}), or be root's and readable by a group of it.
 */
public record PostgresTls(Path certificate, Path key) {}
