output "urls" {
  description = "Where the service answers."
  value       = [for domain in var.domains : "${var.encrypt ? "https" : "http"}://${domain}/"]
}

output "network" {
  description = "Name of the network, for modules that build on this one."
  value       = terraform_data.network.output.name
}

output "listeners" {
  description = "Address of every listener, by port."
  value       = { for port, listener in terraform_data.listener : port => listener.output.address }
}

output "database" {
  description = "Name of the database, if there is one."
  value       = one(terraform_data.database[*].output.name)
}

output "administrator" {
  description = "The administrator and the digest of the password."
  value       = terraform_data.administrator.output
  sensitive   = true
}
