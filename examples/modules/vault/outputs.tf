output "secrets" {
  description = "Path of every secret."
  value       = [for secret in terraform_data.secret : secret.output]
}

output "key_digest" {
  description = "Digest of the master key."
  value       = terraform_data.vault.output.key
  sensitive   = true
}
