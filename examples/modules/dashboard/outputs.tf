output "dashboard" {
  description = "Id of the dashboard."
  value       = terraform_data.dashboard.output.id
}

output "panels" {
  description = "Titles of the panels."
  value       = terraform_data.dashboard.output.panels
}
